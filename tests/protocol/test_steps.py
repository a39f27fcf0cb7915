from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.protocol.errors import VerificationError
from icws_explore.protocol.steps import Step, first_failure, passed, require

steps = st.lists(st.builds(Step, st.sampled_from("abc"), st.sampled_from([True, False, None]), st.text(max_size=3)))

GOOD = Step("parse", True, "fine", b"1", b"1")
BAD = Step("signature", False, "does not hold", b"1", b"2")
OPEN = Step("time", None, "not judged")


class TestWalk:
    def test_the_first_failure_explains_it(self) -> None:
        assert first_failure([GOOD, OPEN, BAD, Step("body", False, "later")]) is BAD
        assert first_failure([GOOD, OPEN]) is None
        assert first_failure([]) is None

    def test_passing_means_judged_and_holding(self) -> None:
        assert passed([GOOD, GOOD])
        assert not passed([GOOD, OPEN])
        assert not passed([GOOD, BAD])

    def test_require_raises_for_what_does_not_hold(self) -> None:
        require([GOOD])
        with pytest.raises(VerificationError, match="signature: does not hold") as caught:
            require([GOOD, BAD, OPEN])
        assert (caught.value.step, caught.value.detail) == ("signature", "does not hold")
        with pytest.raises(VerificationError, match="time: not judged"):
            require([GOOD, OPEN])

    @given(steps)
    def test_require_and_passed_agree(self, walk: list[Step]) -> None:
        if passed(walk):
            require(walk)
            assert first_failure(walk) is None
        else:
            with pytest.raises(VerificationError):
                require(walk)


class TestStep:
    def test_is_a_value(self) -> None:
        assert Step("parse", True, "fine") == Step("parse", True, "fine", None, None)
        assert len({GOOD, Step("parse", True, "fine", b"1", b"1")}) == 1
        with pytest.raises(AttributeError):
            GOOD.ok = False  # type: ignore[misc]  # the misuse under test
