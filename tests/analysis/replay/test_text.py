"""What the real SDK would have done, in a line; and in JSON."""

from __future__ import annotations

import json

from icws_explore.analysis.recording import Recording
from icws_explore.analysis.replay.replay import replay_sessions
from icws_explore.analysis.replay.text import MAX_LINES, replay_json, replay_lines
from icws_explore.capture import Capture
from support.session_captures import SessionScript, healthy
from support.timing_captures import never_opened


def lines(capture: Capture) -> list[str]:
    return replay_lines(replay_sessions(capture))


def together(*scripts: SessionScript) -> Capture:
    frames = sorted((frame for script in scripts for frame in script.capture.frames), key=lambda frame: frame.t)
    return Capture(scripts[0].capture.info, frames)


def gap(session: str | None = None) -> SessionScript:
    return SessionScript(session=session).opened().app_says(3, "x", sequence_num=7)


class TestLines:
    def test_a_healthy_session_has_nothing_to_tell(self) -> None:
        assert lines(healthy()) == []
        assert lines(Capture()) == []

    def test_an_end_that_is_the_sdks(self) -> None:
        told = lines(gap().closed(3.1, "out", 4000, "Error receiving message").capture)
        assert told == [
            'ic-websocket-js 0.5.0 makes close(4000, "Error receiving message") at frame 3; so did the recorded client'
        ]

    def test_a_recording_that_ends_before(self) -> None:
        (told,) = lines(gap().capture)
        assert told.endswith("the recording ends before that")

    def test_a_gateway_that_was_quicker(self) -> None:
        (told,) = lines(gap().closed(3.1, "in", 1006).capture)
        assert "the gateway's side was quicker" in told

    def test_an_end_that_is_not(self) -> None:
        (told,) = lines(gap().client_says(20, "still here").capture)
        assert told.startswith("not as ic-websocket-js 0.5.0: frame 3: the real client closes with 4000")

    def test_a_server_that_is_not_a_gateway(self) -> None:
        script = SessionScript().opened()
        told = lines(Capture(script.capture.info, [script.capture.frames[0], *script.capture.frames]))
        assert told[-1].startswith("not as gateway 1.4.6: frame 1")

    def test_sessions_that_end_alike_share_a_line(self) -> None:
        ends = [gap(name).closed(3.1, "out", 4000, "Error receiving message") for name in ("1", "2")]
        other = SessionScript(session="3").opened()
        del other.capture.frames[2:]
        other.closed(60.1, "out", 4000, "Open connection timeout")
        told = lines(together(*ends, other))
        assert [line.partition(":")[0] for line in told] == ["sessions 1, 2", "session 3"]
        assert "at frames 8, 9;" in told[0]

    def test_many_are_cut_short(self) -> None:
        going_on = [gap(str(number)).client_says(20, "x") for number in range(9)]
        told = lines(together(*going_on))
        assert len(told) == MAX_LINES
        assert told[-1] == "4 more"
        (told,) = lines(together(*(gap(str(number)) for number in range(9))))
        assert told.startswith("9 sessions: ")


class TestJson:
    def test_says_all_and_can_be_written(self) -> None:
        script = gap().closed(3.1, "out", 4001, "no")
        (replay,) = replay_sessions(script.capture)
        told = json.loads(json.dumps(replay_json(replay)))
        assert (told["session"], told["agrees"], told["notes"]) == (None, False, [])
        assert told["predicted_close"]["reason"] == "Error receiving message"
        assert told["predicted_close"]["step"] == "sequence"
        assert told["recorded_close"] == {"by": "client", "code": 4001, "reason": "no"}
        assert (told["divergence"]["party"], told["divergence"]["frame"]) == ("client", 3)

    def test_nothing_to_tell(self) -> None:
        (replay,) = replay_sessions(SessionScript().opened().capture)
        told = replay_json(replay)
        assert (told["predicted_close"], told["recorded_close"], told["divergence"]) == (None, None, None)

    def test_the_close_that_never_came(self) -> None:
        (replay,) = replay_sessions(never_opened())
        assert replay_json(replay)["agrees"] is True


class TestReplays:
    def test_print_as_lines(self):
        capture = never_opened()
        assert repr(Recording(capture).replay()) == "\n".join(replay_lines(replay_sessions(capture)))

    def test_that_went_on_say_so(self):
        shown = repr(Recording(SessionScript().opened().capture).replay())
        assert shown == "1 session, as ic-websocket-js 0.5.0 and gateway 1.4.6 would have gone on"
