from __future__ import annotations

import json

from icws_explore.lab import log as log_module
from icws_explore.lab.log import LabEvent, LabLog
from support.fake_clock import FakeClock


class TestLog:
    def test_keeps_the_order_and_the_protocols_time(self) -> None:
        clock = FakeClock()
        log = LabLog(clock.now_ns)
        log.write("replica", "received", "ws_open", method="ws_open")
        clock.advance_ms(50)
        log.write("canister", "accepted", "ws_open")
        first, second = log.events
        assert (first.kind, second.kind, second.t_ns - first.t_ns) == ("received", "accepted", 50_000_000)
        assert first.facts == {"method": "ws_open"}

    def test_what_was_handed_out_does_not_grow(self) -> None:
        log = LabLog(FakeClock().now_ns)
        events = log.events
        log.write("replica", "received", "ws_open")
        assert events == []

    def test_forgets_the_oldest(self) -> None:
        log = LabLog(FakeClock().now_ns)
        for number in range(log_module.MAX_EVENTS + 1):
            log.write("replica", str(number), "")
        assert (len(log.events), log.events[0].kind) == (log_module.MAX_EVENTS, "1")

    def test_tells_listeners_until_they_have_heard_enough(self) -> None:
        log, heard = LabLog(FakeClock().now_ns), list[LabEvent]()
        end = log.listen(heard.append)
        log.write("replica", "one", "")
        end()
        end()
        log.write("replica", "two", "")
        assert [event.kind for event in heard] == ["one"]


class TestEvent:
    EVENT = LabEvent(1_795_000_000_123_000_000, "canister", "err", "no", {"method": "ws_open"})

    def test_as_a_line(self) -> None:
        assert str(self.EVENT) == "11:06:40.123 canister err        no"

    def test_as_json(self) -> None:
        assert json.loads(json.dumps(self.EVENT.as_json())) == {
            "t": 1_795_000_000.123,
            "part": "canister",
            "event": "err",
            "text": "no",
            "method": "ws_open",
        }
