from __future__ import annotations

import pytest

from icws_explore.lab import log as testimony
from icws_explore.lab.log import LabEvent, LabLog
from icws_explore.lab.replica.admission import Refused, Request
from icws_explore.lab.replica.subnet import canister_principal
from icws_explore.protocol.arguments import encode_result
from icws_explore.protocol.canister import Outcome, Reject, Reply, TimerRun
from icws_explore.protocol.principal import Principal
from support.fake_clock import FakeClock

CANISTER = canister_principal(0x8000000000100000)
ALICE = Principal.self_authenticating(b"alice")


def request(method: str = "ws_open") -> Request:
    content = {"canister_id": CANISTER.raw, "method_name": method, "arg": b""}
    return Request(bytes(32), ALICE, 0, None, content)


class Scene:
    def __init__(self) -> None:
        self.log = LabLog(FakeClock().now_ns)
        self.testimony = testimony.Testimony(self.log)

    @property
    def last(self) -> LabEvent:
        return self.log.events[-1]


@pytest.fixture
def scene() -> Scene:
    return Scene()


class TestExecution:
    @pytest.mark.parametrize(
        ("method", "outcome", "kind"),
        [
            ("ws_open", Reply(encode_result(None)), "accepted"),
            ("ws_message", Reply(encode_result("no")), "err"),
            ("ws_close", Reply(b"not Candid"), "accepted"),
            ("ws_get_messages", Reply(encode_result("not one of its answers")), "accepted"),
            ("ws_open", Reject(5, "why", "IC0503"), "trapped"),
            ("ws_open", Reject(4, "Error from Canister x: IC0503: Canister called", "IC0406"), "trapped"),
            ("ws_open", Reject(4, "why", "IC0406"), "rejected"),
            ("ws_open", Reject(5, "why", "IC0536"), "rejected"),
        ],
    )
    def test_names_what_came_of_a_call(self, scene: Scene, method: str, outcome: Outcome, kind: str) -> None:
        scene.testimony.executed(request(method), outcome)
        assert (scene.last.part, scene.last.kind) == ("canister", kind)
        assert scene.last.facts["method"] == method
        assert scene.last.facts["sender"] == str(ALICE)

    def test_quotes_the_err_that_the_gateway_keeps_to_itself(self, scene: Scene) -> None:
        scene.testimony.executed(request(), Reply(encode_result("Anonymous principal is not allowed")))
        assert scene.last.facts["err"] == "Anonymous principal is not allowed"

    def test_polls_are_told_only_when_they_fail(self, scene: Scene) -> None:
        scene.testimony.queried(request("ws_get_messages"), Reply(b""))
        assert scene.log.events == []
        scene.testimony.queried(request("ws_get_messages"), Reject(5, "why", "IC0503"))
        assert scene.last.kind == "trapped"

    def test_traps_in_timers_which_reach_nobody(self, scene: Scene) -> None:
        scene.testimony.timers(CANISTER, [TimerRun(0, None), TimerRun(0, Reject(5, "why", "IC0503"))])
        (event,) = scene.log.events
        assert (event.kind, event.facts["canister_id"]) == ("trapped", str(CANISTER))

    def test_what_a_canister_prints(self, scene: Scene) -> None:
        scene.testimony.printed(CANISTER, 0, "hello")
        assert (scene.last.kind, scene.last.text) == ("printed", "hello")


class TestRefusals:
    def test_are_noted_and_go_on(self, scene: Scene) -> None:
        with pytest.raises(Refused), scene.testimony.refusals("call", CANISTER):
            raise Refused(400, "first line\nsecond line")
        assert scene.last.facts == {"status": 400, "canister_id": str(CANISTER)}
        assert scene.last.text == "call for bnz7o…-cai: HTTP 400 first line"

    def test_nothing_is_noted_of_what_passes(self, scene: Scene) -> None:
        with scene.testimony.refusals("call", CANISTER):
            pass
        assert scene.log.events == []


class TestFromOutside:
    @pytest.mark.parametrize("what", ["upgraded", "stopped", "started"])
    def test_what_is_done_to_a_canister(self, scene: Scene, what: str) -> None:
        getattr(scene.testimony, what)(CANISTER)
        assert (scene.last.part, scene.last.kind) == ("canister", what)
        assert scene.last.facts == {"canister_id": str(CANISTER)}
