from __future__ import annotations

from dataclasses import replace

import pytest

from icws_explore.analysis.timing.instants import Origin, instants
from icws_explore.protocol.messages import CanisterMessage
from support.network_side import answered, ok
from support.session_captures import SessionScript, healthy, hostile
from support.timing_captures import empty, never_opened, only


class TestOrigin:
    def test_keeps_nanoseconds_that_a_float_since_the_epoch_would_lose(self) -> None:
        assert Origin(1_763_895_600.0).of_ns(1_763_895_600_000_000_001) == 1e-9


class TestInstants:
    def test_count_from_the_first_frame_on_its_own_clock(self) -> None:
        session = only(healthy())
        assert (session.handshake, session.first) == (0.0, 0.0)
        assert session.asked is not None
        assert session.asked.at == pytest.approx(0.1, abs=1e-6)
        assert session.opened is not None
        assert session.opened.at == pytest.approx(2.3, abs=1e-6)
        assert session.opened.made == pytest.approx(1.5)

    def test_acks_say_what_they_cover_and_keep_alives_what_they_report(self) -> None:
        session = only(healthy())
        assert [ack.acks for ack in session.acks] == [5, 8, 11]
        assert [sent.reports for sent in session.sent if sent.kind == "keep_alive"] == [7, 10, 13]

    def test_the_first_close_is_the_end(self) -> None:
        script = SessionScript().opened().closed(5, "out", 4000, "why").closed(6, "in", 1006)
        ended = only(script.capture).ended
        assert ended is not None
        assert (ended.code, ended.reason, ended.direction) == (4000, "why", "out")

    def test_bytes_that_do_not_decode_are_left_out(self) -> None:
        session = only(hostile())
        assert [message.sequence_num for message in session.received] == [1, 2, 3, 9, 10]

    def test_sessions_are_distinguished(self) -> None:
        capture = SessionScript(session="a").opened().capture
        capture.frames += SessionScript(session="b").opened(at=5).capture.frames
        found = instants(capture).sessions
        assert [(name, session.first) for name, session in found.items()] == [("a", 0.0), ("b", 5.0)]

    def test_what_passed_behind_the_gateway_is_no_session(self) -> None:
        capture = answered(healthy(), {1: ok()})
        assert list(instants(capture).sessions) == [None]

    def test_an_empty_capture_has_none_and_one_that_never_opened_says_so(self) -> None:
        assert instants(empty()).sessions == {}
        assert only(never_opened()).opened is None

    def test_a_certificate_that_does_not_decode_has_no_time(self) -> None:
        script = SessionScript().opened()
        whole = CanisterMessage.decode(script.capture.frames[2].data)
        script.frame(3, "in", replace(whole, cert=b"no CBOR").encode())
        good, broken = only(script.capture).received
        assert good.certified == pytest.approx(good.made)
        assert broken.certified is None
