"""Close codes: the standard ones are websockets' own, by name and by number."""

from __future__ import annotations

import json

import pytest
from websockets.exceptions import ProtocolError
from websockets.frames import Close
from websockets.frames import CloseCode as WebsocketsCloseCode

from icws_explore.protocol.close_codes import CloseCode, check_close
from icws_explore.protocol.errors import ArgumentValueError


class TestCloseCode:
    def test_standard_codes_are_those_of_websockets(self) -> None:
        standard = {code.name: int(code) for code in CloseCode if code < 3000}
        assert standard == {code.name: int(code) for code in WebsocketsCloseCode}

    def test_the_others_are_those_of_the_sdk(self) -> None:
        assert [int(code) for code in CloseCode if code >= 3000] == [4000, 4001]

    def test_is_shown_as_a_number(self) -> None:
        code = CloseCode.CLOSED_BY_SDK
        assert (str(code), repr(code), f"{code}", json.dumps(code)) == ("4000", "4000", "4000", "4000")


class TestWhatCanBeSent:
    @pytest.mark.parametrize("code", [1000, 1003, 1011, 3000, 4000, 4999])
    def test_is_taken(self, code: int) -> None:
        check_close(code, "x" * 123)

    @pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000])
    def test_other_codes_are_refused_with_those_that_can(self, code: int) -> None:
        with pytest.raises(ArgumentValueError, match=f"cannot have the code {code}; use 1000, 1001, .*3000 to 4999"):
            check_close(code, "")

    def test_a_reason_must_fit_into_a_control_frame(self) -> None:
        with pytest.raises(ArgumentValueError, match="124 bytes; a close frame has room for 123"):
            check_close(1000, "é" * 62)

    def test_codes_that_are_taken_are_those_that_websockets_sends(self) -> None:
        def is_taken(code: int) -> bool:
            try:
                check_close(code, "")
            except ArgumentValueError:
                return False
            return True

        def is_sent(code: int) -> bool:
            try:
                Close(code, "").check()
            except ProtocolError:
                return False
            return True

        assert [code for code in range(5100) if is_taken(code)] == [code for code in range(5100) if is_sent(code)]
