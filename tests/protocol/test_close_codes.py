"""Close codes: the standard ones are websockets' own, by name and by number."""

from __future__ import annotations

import json

from websockets.frames import CloseCode as WebsocketsCloseCode

from icws_explore.protocol.close_codes import CloseCode


class TestCloseCode:
    def test_standard_codes_are_those_of_websockets(self) -> None:
        standard = {code.name: int(code) for code in CloseCode if code < 3000}
        assert standard == {code.name: int(code) for code in WebsocketsCloseCode}

    def test_the_others_are_those_of_the_sdk(self) -> None:
        assert [int(code) for code in CloseCode if code >= 3000] == [4000, 4001]

    def test_is_shown_as_a_number(self) -> None:
        code = CloseCode.CLOSED_BY_SDK
        assert (str(code), repr(code), f"{code}", json.dumps(code)) == ("4000", "4000", "4000", "4000")
