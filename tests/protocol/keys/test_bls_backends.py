"""Which library does the arithmetic; that both do it right is in test_bls."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from icws_explore.protocol.errors import VerificationError
from icws_explore.protocol.keys import bls as bls_backends
from icws_explore.protocol.keys.bls import Arkworks, Backend, Pyblst, chosen


def missing() -> Backend:
    raise ImportError("not installed")


@pytest.fixture(autouse=True)
def choose_anew() -> Iterator[None]:
    chosen.cache_clear()
    yield
    chosen.cache_clear()


class TestChosen:
    @pytest.mark.parametrize(
        ("backends", "name"),
        [
            ((Pyblst, Arkworks), "pyblst"),
            ((missing, Arkworks), "py-arkworks-bls12381"),
            ((Pyblst, missing), "pyblst"),
        ],
        ids=["both", "no pyblst", "no py-arkworks"],
    )
    def test_is_the_first_that_is_there(
        self, backends: tuple[Callable[[], Backend], ...], name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(bls_backends, "BACKENDS", backends)
        assert chosen().name == name

    def test_none_says_what_to_install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(bls_backends, "BACKENDS", (missing, missing))
        with pytest.raises(VerificationError, match="install pyblst or py-arkworks-bls12381"):
            chosen()


@pytest.mark.parametrize("backend", [Pyblst, Arkworks])
class TestPoints:
    def test_of_the_right_length_but_on_no_curve_are_refused(self, backend: Callable[[], Backend]) -> None:
        lib = backend()
        key, signature = lib.public_key(5), lib.sign(5, b"message")
        assert lib.verify(key, b"message", signature)
        assert not lib.verify(key, b"message", b"\x9f" * 48)
        assert not lib.verify(b"\x9f" * 96, b"message", signature)
