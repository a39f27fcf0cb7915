"""The scenarios about the gateway: what the client notices, and that the canister does nothing wrong."""

from __future__ import annotations

import pytest

from icws_explore.analysis.decode import decode_frames
from icws_explore.analysis.verify import verify_capture
from icws_explore.lab.scenarios import scenario
from icws_explore.lab.simulator import Simulation

ERROR = (4000, "Error receiving message")


def end(run: Simulation) -> tuple[int | None, str | None]:
    return run.raw.frames[-1].code, run.raw.frames[-1].reason


class TestAlteredMessages:
    @pytest.mark.parametrize(
        ("name", "number", "step"),
        [("BAD_CERTIFICATE", 3, "signature"), ("BODY_HASH", 3, "body"), ("STALE_CERTIFICATE", 4, "time")],
    )
    def test_fail_at_their_number_and_step(self, name, number, step):
        run = scenario(name).run(1)
        verdicts = list(verify_capture(run.raw))
        assert [verdict.failure for verdict in verdicts[: number - 1]] == [None] * (number - 1)
        assert verdicts[number - 1].failure.step == step
        assert end(run) == ERROR


class TestMissingMessages:
    def test_leave_a_gap(self):
        run = scenario("SEQUENCE_GAP_DOWN").run(1)
        numbers = [d.sequence_num for d in decode_frames(run.raw) if d.canister_message is not None]
        assert numbers == [1, 2, 3, 5]
        assert end(run) == ERROR


class TestSilence:
    def test_leaves_only_the_close(self):
        assert [frame.op for frame in scenario("NO_HANDSHAKE").run(1).raw.frames] == ["close"]

    def test_about_acks_ends_with_the_ack_timeout(self):
        run = scenario("ACKS_WITHHELD").run(1)
        arrived = [ack.received_ns is not None for ack in run.truth.acks]
        assert arrived[:3] == [True, True, False]
        assert end(run) == (4000, "Ack message timeout")


class TestOrder:
    def test_of_execution_differs_from_the_order_of_sending(self):
        run = scenario("REORDERED_RELAY").run(1)
        sent = [message.sequence_num for message in run.truth.of("message")]
        reached = sorted((m for m in run.truth.of("message") if m.executed_ns), key=lambda m: m.executed_ns)
        assert sent == sorted(sent)
        assert [m.sequence_num for m in reached] != sorted(m.sequence_num for m in reached)


class TestStall:
    def test_delays_every_session_and_loses_nothing(self):
        run = scenario("SLOW_CLIENT_STALL").run(1)
        start = run.raw.frames[0].t
        times = [frame.t - start for frame in run.raw.frames if frame.direction == "in"]
        assert not [t for t in times if 61 < t < 109]
        assert run.counts.ended == {"1000": 3}
