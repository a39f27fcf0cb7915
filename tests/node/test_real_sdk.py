"""ic-websocket-js 0.5.0 itself, from npm, against the lab; its frames read by this package.

All three kinds of identity play at once, so the lab also serves several clients of one canister. The lab jumps over
the ack intervals, each time when all clients have answered the ack before: the SDK may be as slow as the machine is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from icws_explore.analysis.decode import DecodedFrame, decode_frames
from icws_explore.analysis.verify import verify_capture
from icws_explore.capture import Capture, SessionInfo
from icws_explore.lab import Lab
from icws_explore.protocol import candid
from icws_explore.protocol.constants import NS_PER_MS, NS_PER_S
from icws_explore.protocol.envelope import check_envelope
from icws_explore.protocol.principal import Principal
from support.jumping_lab import JumpingLab, wait_for
from support.node_peer import Run, record, run_script

pytestmark = [pytest.mark.node, pytest.mark.slow]

IDENTITIES = ("ed25519", "secp256k1", "delegation")
# The SDK's clock does not jump. It takes no certificate from more than five minutes ahead, and its requests expire
# after three to four minutes, at a full minute. All intervals together are shorter than that.
ACK_INTERVAL_MS = 30_000
KEEP_ALIVE_TIMEOUT_MS = 20_000
ROUNDS = 20
ACKS = 3
SCRIPT_TIMEOUT_S = 90


@dataclass(frozen=True, slots=True)
class Played:
    """One session of the real SDK, as it reported it and as this package reads it."""

    run: Run
    capture: Capture
    frames: list[DecodedFrame]

    @property
    def kinds(self) -> Counter[str]:
        return Counter(decoded.kind for decoded in self.frames)

    @property
    def count(self) -> dict[str, int]:
        return self.run.one("close")["count"]


@pytest.fixture(scope="module")
def lab() -> Iterator[JumpingLab]:
    with JumpingLab(
        app="pingpong",
        ack_interval_ms=ACK_INTERVAL_MS,
        keep_alive_timeout_ms=KEEP_ALIVE_TIMEOUT_MS,
        latency_bound_ms=1000,
    ) as lab:
        yield lab


@pytest.fixture(scope="module")
def played(lab: JumpingLab, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Played]:
    folder = tmp_path_factory.mktemp("real-sdk")

    def play(identity: str) -> Played:
        config = {
            "gateway_url": lab.gateway_url,
            "network_url": lab.network_url,
            "canister_id": str(lab.canister_id),
            "identity": identity,
            "ack_interval_ms": ACK_INTERVAL_MS,
            "rounds": ROUNDS,
            "acks": ACKS + 1,  # behind the canister's check of the keep-alive for the last but one
            "timeout_ms": SCRIPT_TIMEOUT_S * 1000,
        }
        run = run_script("peer.mjs", config, timeout_s=SCRIPT_TIMEOUT_S + 20)
        info = SessionInfo(
            gateway_url=lab.gateway_url,
            network_url=lab.network_url,
            canister_id=str(lab.canister_id),
            root_key=lab.root_key,
            client_principal=run.one("start")["principal"],
            ack_interval_ms=ACK_INTERVAL_MS,
            app_type=candid.type_text(candid.parse_did(lab.app_did).application_type()),
        )
        capture = record(run, info, folder / f"{identity}.icws")
        return Played(run, capture, list(decode_frames(capture)))

    with ThreadPoolExecutor(len(IDENTITIES)) as pool:
        playing = pool.map(play, IDENTITIES)
        wait_for(lambda: len(lab.canister().clients) == len(IDENTITIES))
        for _ in range(ACKS + 1):
            lab.pass_interval()
        return dict(zip(IDENTITIES, playing, strict=True))


@pytest.fixture(params=IDENTITIES)
def session(request: pytest.FixtureRequest, played: dict[str, Played]) -> Played:
    return played[request.param]


class TestSdkAgainstLab:
    def test_ends_as_meant_and_complains_of_nothing(self, session: Played) -> None:
        assert session.run.all("error") == []
        assert session.run.stderr == ""
        assert session.run.exit_code == 0

    def test_opens_once_before_the_first_message(self, session: Played) -> None:
        events = [line["event"] for line in session.run.events if line["event"] in ("open", "message")]
        assert events[0] == "open"
        assert events.count("open") == 1

    def test_every_pong_is_answered(self, session: Played) -> None:
        # One more after the rounds, and one more than were sent: the canister speaks first.
        assert session.count["sent"] == ROUNDS + 1
        assert session.count["received"] == ROUNDS + 2
        assert {line["text"] for line in session.run.all("message")} == {"ping"}

    def test_survives_three_ack_intervals(self, session: Played) -> None:
        assert session.count["acks"] >= ACKS
        # An ack that comes while the SDK closes is the last, and stays without an answer.
        assert session.count["acks"] - session.count["keepAlives"] in (0, 1)
        acks_ns = [each.message.timestamp_ns for each in session.frames if each.kind == "ack" and each.message]
        assert acks_ns[ACKS - 1] - acks_ns[0] == (ACKS - 1) * ACK_INTERVAL_MS * NS_PER_MS
        last = session.frames[-2]  # before the close
        assert last.kind == "app"
        assert last.message is not None
        missed_ns = acks_ns[ACKS - 1] + KEEP_ALIVE_TIMEOUT_MS * NS_PER_MS
        assert last.message.timestamp_ns > missed_ns, "still served once a missing keep-alive would have shown"

    def test_closes_normally_and_sees_the_gateways_answer(self, session: Played) -> None:
        assert session.run.one("closing")["code"] == 1000
        # Gateway 1.4.6 drops the connection of a client that closes, so the SDK's onclose says 1006.
        assert session.run.one("close")["code"] == 1006


class TestItsFramesHere:
    def test_every_frame_decodes(self, session: Played) -> None:
        assert session.kinds == Counter(
            handshake=1,
            open_request=1,
            open=1,
            message=session.count["sent"],
            app=session.count["received"],
            ack=session.count["acks"],
            keep_alive=session.count["keepAlives"],
            control=1,
        )

    def test_application_values_are_the_sdks(self, session: Played) -> None:
        received = [decoded.value for decoded in session.frames if decoded.kind == "app"]
        told = [{"text": line["text"], "timestamp": int(line["timestamp"])} for line in session.run.all("message")]
        assert received == told

    def test_sequence_numbers_have_no_gap(self, session: Played) -> None:
        for direction in ("in", "out"):
            numbers = [
                decoded.sequence_num
                for decoded in session.frames
                if decoded.frame.direction == direction and decoded.sequence_num is not None
            ]
            assert numbers == list(range(1, len(numbers) + 1))

    def test_every_canister_message_verifies(self, session: Played) -> None:
        verdicts = list(verify_capture(session.capture))
        assert len(verdicts) == session.count["received"] + session.count["acks"] + 1
        failed = [(verdict.frame, step) for verdict in verdicts for step in verdict.steps if step.ok is not True]
        assert failed == []

    def test_every_envelope_checks(self, session: Played, lab: Lab) -> None:
        envelopes = [decoded for decoded in session.frames if decoded.envelope is not None]
        assert len(envelopes) == session.kinds["message"] + session.kinds["keep_alive"] + 1
        for decoded in envelopes:
            steps = check_envelope(
                decoded.envelope,
                now_ns=round(decoded.frame.t * NS_PER_S),
                canister_id=Principal.of(lab.canister_id),
            )
            assert [step for step in steps if step.ok is False] == []

    def test_sender_is_the_sdks_principal(self, session: Played) -> None:
        (open_request,) = [decoded for decoded in session.frames if decoded.kind == "open_request"]
        assert str(Principal.of(open_request.envelope.content["sender"])) == session.run.one("start")["principal"]


def test_delegation_travels_in_the_envelope(played: dict[str, Played]) -> None:
    delegated = {
        identity: bool(decoded.envelope.sender_delegation)
        for identity, session in played.items()
        for decoded in session.frames
        if decoded.kind == "open_request"
    }
    assert delegated == {"ed25519": False, "secp256k1": False, "delegation": True}
