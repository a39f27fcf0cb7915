from __future__ import annotations

import json

import pytest

from icws_explore.lab import log as log_module
from icws_explore.lab.log import LabEvent, LabLog, ReplicaLog
from icws_explore.lab.replica.admission import Refused, Request
from icws_explore.lab.replica.subnet import canister_principal
from icws_explore.protocol.arguments import encode_result
from icws_explore.protocol.canister import Outcome, Reject, Reply, TimerRun
from icws_explore.protocol.principal import Principal
from support.fake_clock import FakeClock


class TestLabLog:
    def test_events_have_an_order_and_protocol_times(self) -> None:
        clock = FakeClock()
        log = LabLog(clock.now_ns)
        log.write("replica", "received", "ws_open", method="ws_open")
        clock.advance_ms(50)
        log.write("canister", "accepted", "ws_open")
        first, second = log.events
        assert (first.kind, second.kind, second.t_ns - first.t_ns) == ("received", "accepted", 50_000_000)
        assert first.facts == {"method": "ws_open"}

    def test_a_list_of_events_does_not_grow_later(self) -> None:
        log = LabLog(FakeClock().now_ns)
        events = log.events
        log.write("replica", "received", "ws_open")
        assert events == []

    def test_drops_the_oldest_events_if_there_are_too_many(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(log_module, "MAX_EVENTS", 3)
        log = LabLog(FakeClock().now_ns)
        for number in range(5):
            log.write("replica", str(number), "")
        assert [event.kind for event in log.events] == ["2", "3", "4"]

    def test_drops_the_oldest_events_if_they_are_too_large(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(log_module, "MAX_BYTES", 10_000)
        log = LabLog(FakeClock().now_ns)
        for number in range(100):
            log.write("canister", str(number), "x" * 1_000, err="y" * 1_000)
        texts = sum(len(event.text) + len(event.facts["err"]) for event in log.events)
        assert 4_000 <= texts <= 10_000
        assert log.events[-1].kind == "99"

    def test_cuts_long_texts(self) -> None:
        log = LabLog(FakeClock().now_ns)
        log.write("canister", "err", "x" * 1_000_000, err="y" * 1_000_000, status=400)
        (event,) = log.events
        assert len(event.text) + len(event.facts["err"]) < 2 * log_module.MAX_TEXT + 100
        assert event.text.endswith("x… (1000000 characters)")
        assert event.facts["status"] == 400

    def test_calls_listeners_until_they_stop(self) -> None:
        log, heard = LabLog(FakeClock().now_ns), list[LabEvent]()
        end = log.listen(heard.append)
        log.write("replica", "one", "")
        end()
        end()
        log.write("replica", "two", "")
        assert [event.kind for event in heard] == ["one"]


class TestEvent:
    EVENT = LabEvent(1_795_000_000_123_000_000, "canister", "err", "no", {"method": "ws_open"})

    def test_as_one_line(self) -> None:
        assert str(self.EVENT) == "11:06:40.123 canister err        no"

    def test_as_json(self) -> None:
        assert json.loads(json.dumps(self.EVENT.as_json())) == {
            "t": 1_795_000_000.123,
            "part": "canister",
            "event": "err",
            "text": "no",
            "method": "ws_open",
        }


CANISTER = canister_principal(0x8000000000100000)
ALICE = Principal.self_authenticating(b"alice")


def request(method: str = "ws_open") -> Request:
    content = {"canister_id": CANISTER.raw, "method_name": method, "arg": b""}
    return Request(bytes(32), ALICE, 0, None, content)


class Scene:
    def __init__(self) -> None:
        self.log = LabLog(FakeClock().now_ns)
        self.replica_log = ReplicaLog(self.log)

    @property
    def last(self) -> LabEvent:
        return self.log.events[-1]


@pytest.fixture
def scene() -> Scene:
    return Scene()


class TestReplicaLog:
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
    def test_names_the_outcome_of_a_call(self, scene: Scene, method: str, outcome: Outcome, kind: str) -> None:
        scene.replica_log.executed(request(method), outcome, 7)
        assert (scene.last.part, scene.last.kind) == ("canister", kind)
        assert scene.last.facts["method"] == method
        assert scene.last.facts["sender"] == str(ALICE)

    def test_quotes_the_text_of_an_err(self, scene: Scene) -> None:
        scene.replica_log.executed(request(), Reply(encode_result("Anonymous principal is not allowed")), 7)
        assert scene.last.facts["err"] == "Anonymous principal is not allowed"

    def test_logs_only_failed_queries(self, scene: Scene) -> None:
        scene.replica_log.queried(request("ws_get_messages"), Reply(b""))
        assert scene.log.events == []
        scene.replica_log.queried(request("ws_get_messages"), Reject(5, "why", "IC0503"))
        assert scene.last.kind == "trapped"

    def test_logs_traps_of_timers(self, scene: Scene) -> None:
        scene.replica_log.timers(CANISTER, [TimerRun(0, None), TimerRun(0, Reject(5, "why", "IC0503"))])
        (event,) = scene.log.events
        assert (event.kind, event.facts["canister_id"]) == ("trapped", str(CANISTER))

    def test_logs_what_a_canister_prints(self, scene: Scene) -> None:
        scene.replica_log.printed(CANISTER, 0, "hello")
        assert (scene.last.kind, scene.last.text) == ("printed", "hello")


class TestRefusals:
    def test_are_logged_and_pass(self, scene: Scene) -> None:
        with pytest.raises(Refused), scene.replica_log.refusals("call", CANISTER):
            raise Refused(400, "first line\nsecond line")
        assert scene.last.facts == {"status": 400, "canister_id": str(CANISTER)}
        assert scene.last.text == "call for bnz7o…-cai: HTTP 400 first line"

    def test_nothing_is_logged_without_a_refusal(self, scene: Scene) -> None:
        with scene.replica_log.refusals("call", CANISTER):
            pass
        assert scene.log.events == []


class TestFromOutside:
    @pytest.mark.parametrize("what", ["upgraded", "stopped"])
    def test_what_is_done_to_a_canister(self, scene: Scene, what: str) -> None:
        getattr(scene.replica_log, what)(CANISTER)
        assert (scene.last.part, scene.last.kind) == ("canister", what)
        assert scene.last.facts == {"canister_id": str(CANISTER)}
