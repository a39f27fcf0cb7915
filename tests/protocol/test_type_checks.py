from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any, Literal, Protocol

import numpy as np
import pytest

from icws_explore.protocol.errors import ConnectError, LabError
from icws_explore.protocol.type_checks import checked, fits, in_words


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
    def test_what_an_annotation_says(self, value: object, wanted: Any) -> None:
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
    def test_and_nothing_else(self, value: object, wanted: Any) -> None:
        assert not fits(value, wanted)


class TestWords:
    def test_are_those_of_a_person(self) -> None:
        assert in_words(str | Path | None) == "text, a path or None"
        assert in_words(float | int) == "a number or a whole number"
        assert in_words(Literal["real", "stand-in"]) == "'real' or 'stand-in'"
        assert in_words(Callable[[], None]) == "a function"
        assert in_words(Endpoint) == "an Endpoint"


class TestChecked:
    def connect(self, **arguments: Any) -> str:
        @checked(ConnectError, skip=("identity",), network="its URL")
        def connect(*, network: str = "", record: str | Path | None = None, identity: str = "", port: int = 0) -> str:
            """Connect."""
            return f"{network} {port}"

        assert connect.__doc__ == "Connect."
        assert list(inspect.signature(connect).parameters) == ["network", "record", "identity", "port"]
        return connect(**arguments)

    def test_lets_pass_what_fits(self) -> None:
        assert self.connect(network="http://x", port=5, record=None) == "http://x 5"

    def test_says_in_a_line_which_argument_what_it_is_and_what_it_should_be(self) -> None:
        with pytest.raises(ConnectError, match=r"^network cannot be an int: give its URL$"):
            self.connect(network=5)
        with pytest.raises(ConnectError, match=r"^record cannot be a list: give text, a path or None$"):
            self.connect(record=["a"])

    def test_repeats_no_value(self) -> None:
        with pytest.raises(ConnectError) as caught:
            self.connect(port="secret")
        assert "secret" not in str(caught.value)

    def test_leaves_alone_what_the_function_judges(self) -> None:
        assert self.connect(identity=5) == " 0"

    def test_a_name_that_is_none_stays_a_type_error(self) -> None:
        with pytest.raises(TypeError, match="netwrok"):
            self.connect(netwrok="x")
