from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any, Literal, Protocol

import numpy as np
import pytest

from icws_explore.protocol.errors import ArgumentTypeError, ArgumentValueError, LabError
from icws_explore.protocol.type_checks import checked, checked_fields, fits, in_words


class Endpoint(Protocol):
    @property
    def url(self) -> str: ...


class Here:
    @property
    def url(self) -> str:
        raise LabError("it is not running")


class TestFits:
    @pytest.mark.parametrize(
        ("value", "wanted"),
        [
            ("a", str), (b"a", bytes), (5, int), (5.0, int), (np.int64(5), int), (5, float), (np.float32(0.5), float),
            (True, bool), (0, bool), (None, str | None), ("a", str | None), (Path("a"), str | Path),
            (PurePosixPath("a"), Path), ("x", Literal["x", "y"]), (["a"], Sequence[str]), ((), Sequence[str]),
            (print, Callable[[], None]), (datetime.now(UTC), datetime), (Here(), Endpoint), (object(), Any),
            (5, str | Any),
        ],
    )  # fmt: skip
    def test_values_of_the_annotated_type(self, value: object, wanted: Any) -> None:
        assert fits(value, wanted)

    @pytest.mark.parametrize(
        ("value", "wanted"),
        [
            (5, str), ("a", bytes), ("5", int), (5.5, int), (float("nan"), int), (float("nan"), float),
            (float("inf"), float), (True, int), (None, str), ("yes", bool), (5, str | Path), (b"a", str | Path),
            ("z", Literal["x", "y"]), (1, Literal[True]), (5, Sequence[str]),
            ("a", Sequence[str]), ([1.0, "a"], Sequence[float]), (5, Callable[[], None]), (5, datetime),
            (object(), Endpoint), (1j, float),
        ],
    )  # fmt: skip
    def test_no_other_values(self, value: object, wanted: Any) -> None:
        assert not fits(value, wanted)

    @pytest.mark.parametrize(
        ("value", "wanted", "has_type"),
        [
            (float("nan"), float, True), (5.5, int, True), ("z", Literal["x", "y"], True), (True, int, False),
            ("5", int, False), (1, Literal["x"], False), (float("inf"), int | None, True),
        ],
    )  # fmt: skip
    def test_with_any_value_only_the_type_counts(self, value: object, wanted: Any, has_type: bool) -> None:
        assert not fits(value, wanted)
        assert fits(value, wanted, any_value=True) is has_type


class TestWords:
    def test_say_what_to_pass(self) -> None:
        assert in_words(str | Path | None) == "a string, a path or None"
        assert in_words(float | int) == "a number or an integer"
        assert in_words(Literal["real", "stand-in"]) == "'real' or 'stand-in'"
        assert in_words(Callable[[], None]) == "a function"
        assert in_words(Endpoint) == "an Endpoint"


class TestChecked:
    def connect(self, **arguments: Any) -> str:
        @checked(skip=("identity",), network="a URL")
        def connect(
            *,
            network: str = "",
            record: str | Path | None = None,
            identity: str = "",
            port: int = 0,
            mode: Literal["real", "virtual"] = "real",
        ) -> str:
            """Connect."""
            return f"{network} {port} {mode}"

        assert connect.__doc__ == "Connect."
        assert list(inspect.signature(connect).parameters) == ["network", "record", "identity", "port", "mode"]
        return connect(**arguments)

    def test_accepts_what_fits(self) -> None:
        assert self.connect(network="http://x", port=5, record=None) == "http://x 5 real"

    def test_a_wrong_type_is_named_with_what_to_pass(self) -> None:
        with pytest.raises(ArgumentTypeError, match=r"^network must be a URL, not an int$"):
            self.connect(network=5)
        with pytest.raises(TypeError, match=r"^record must be a string, a path or None, not a list$"):
            self.connect(record=["a"])

    def test_a_wrong_value_is_another_error(self) -> None:
        with pytest.raises(ArgumentValueError, match=r"^port must be an integer, not nan$"):
            self.connect(port=float("nan"))
        with pytest.raises(ValueError, match=r"^mode must be 'real' or 'virtual'$"):
            self.connect(mode="imaginary")

    def test_repeats_no_value(self) -> None:
        with pytest.raises(ArgumentTypeError) as caught:
            self.connect(port="secret")
        assert "secret" not in str(caught.value)

    def test_skips_what_the_function_checks_itself(self) -> None:
        assert self.connect(identity=5) == " 0 real"

    def test_an_unknown_name_stays_a_type_error(self) -> None:
        with pytest.raises(TypeError, match="netwrok"):
            self.connect(netwrok="x")


class TestCheckedFields:
    def test_a_dataclass_checks_its_fields(self) -> None:
        @checked_fields(port="a port")
        @dataclass(frozen=True)
        class Address:
            host: str
            port: int = 0

        assert Address("x", 5) == Address(host="x", port=5)
        with pytest.raises(ArgumentTypeError, match=r"^port must be a port, not a str$"):
            Address("x", "5")  # type: ignore[arg-type]  # the misuse under test
