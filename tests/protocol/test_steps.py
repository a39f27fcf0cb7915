from __future__ import annotations

import pytest

from icws_explore.protocol.steps import Step, first_failure, passed

GOOD = Step("parse", True, "fine", b"1", b"1")
BAD = Step("signature", False, "is not valid", b"1", b"2")
UNCHECKED = Step("time", None, "not checked")


class TestSteps:
    def test_the_first_failure_explains_the_result(self) -> None:
        assert first_failure([GOOD, UNCHECKED, BAD, Step("body", False, "later")]) is BAD
        assert first_failure([GOOD, UNCHECKED]) is None
        assert first_failure([]) is None

    def test_all_steps_must_be_checked_and_pass(self) -> None:
        assert passed([GOOD, GOOD])
        assert not passed([GOOD, UNCHECKED])
        assert not passed([GOOD, BAD])


class TestStep:
    def test_is_a_value(self) -> None:
        assert Step("parse", True, "fine") == Step("parse", True, "fine", None, None)
        assert len({GOOD, Step("parse", True, "fine", b"1", b"1")}) == 1
        with pytest.raises(AttributeError):
            GOOD.ok = False  # type: ignore[misc]  # the misuse under test
