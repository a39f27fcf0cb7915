"""What the network answered to a gateway, from a recording of it: the lab answers as a replica does."""

import asyncio

import pytest

from icws_explore.analysis.network_calls import network_calls, recorded_root_keys
from icws_explore.capture import Capture, Frame
from icws_explore.lab import Lab
from icws_explore.live.http import Network
from icws_explore.live.tap import Tap
from icws_explore.protocol import cbor
from icws_explore.protocol.arguments import encode_open_args, encode_poll_args
from icws_explore.protocol.constants import MAINNET_ROOT_KEY
from icws_explore.protocol.envelope import Envelope
from icws_explore.protocol.errors import ConnectError
from icws_explore.protocol.keys import Ed25519Identity
from support.fake_clock import FakeClock


@pytest.fixture(scope="module")
def recorded_network():
    """A lab's network through a tap, asked for everything that can go well and wrong."""
    with Lab(app="echo", seed=6, time_scale=20) as lab, Tap(lab, network=lab.network_url, every_query=True) as tap:
        asyncio.run(_ask(tap.network_url, lab))
        return tap.recording.raw


async def _ask(url, lab):
    opening = encode_open_args(1, lab.gateway_principal)
    async with Network(url, identity=Ed25519Identity.generate(), clock=lab.clock) as network:
        await network.status()
        await network.call(lab.canister_id, "ws_open", opening)
        await network.call(lab.canister_id, "ws_open", opening)
        await network.call(lab.canister_id, "nonsense", b"DIDL\0\0")
        await network.query(lab.canister_id, "ws_get_messages", encode_poll_args(0))
        await network.query(lab.canister_id, "nonsense", b"DIDL\0\0")
    async with Network(url, identity=Ed25519Identity.generate(), clock=FakeClock()) as late:
        for ask in (late.call, late.query):  # expired long ago: an ingress rejection
            with pytest.raises(ConnectError, match="ingress_expiry"):
                await ask(lab.canister_id, "ws_open", opening)


@pytest.fixture(scope="module")
def calls(recorded_network):
    return [call for call in network_calls(recorded_network) if call.method_name is not None]


class TestOutcomes:
    def test_a_call_that_went_well(self, calls):
        assert (calls[0].method_name, calls[0].outcome, calls[0].text) == ("ws_open", "replied", "")
        assert not calls[0].failed

    def test_an_err_of_the_canister_with_its_text(self, calls):
        assert (calls[1].outcome, calls[1].failed) == ("err", True)
        assert "already has an open connection" in calls[1].text

    def test_a_missing_method(self, calls):
        assert (calls[2].outcome, calls[2].reject_code) == ("rejected", 5)
        assert "nonsense" in calls[2].text

    def test_queries(self, calls):
        assert (calls[3].method_name, calls[3].request_type, calls[3].outcome) == (
            "ws_get_messages",
            "query",
            "replied",
        )
        assert calls[4].outcome == "rejected"

    def test_a_refusal_by_http(self, calls):
        assert [call.outcome for call in calls[5:7]] == ["refused", "refused"]
        assert [call.status for call in calls[5:7]] == [400, 400]
        assert [(call.is_admitted, call.is_final) for call in calls[4:6]] == [(True, True), (False, True)]
        assert all(call.text for call in calls[5:7])

    def test_each_has_its_request_and_response(self, calls, recorded_network):
        for call in calls:
            asked, answered = recorded_network.frames[call.request], recorded_network.frames[call.response]
            assert (asked.op, answered.op, asked.session) == ("request", "response", answered.session)
            assert call.target == asked.reason


class TestWhoseFrame:
    def test_is_found_by_the_request_id(self, recorded_network):
        body = next(f.data for f in recorded_network.frames if f.op == "request" and f.data)
        sent = Frame(0.0, "out", "binary", Envelope.decode(body).encode_frame(), session="1")
        capture = Capture(recorded_network.info, [sent, *recorded_network.frames])
        found = [call.frame for call in network_calls(capture) if call.method_name == "ws_open"]
        assert found[0] == 0
        assert set(found[1:]) == {None}


def exchange(*answers, body=b"x"):
    frames = [Frame(1.0, "out", "request", body, reason="POST /x", session="http-1")]
    frames += [Frame(2.0, "in", "response", data, code=code, session="http-1") for code, data in answers]
    (call,) = network_calls(Capture(frames=frames))
    return call


class TestRootKeys:
    def test_the_one_that_the_network_named(self, recorded_network):
        status = [frame for frame in recorded_network.frames if frame.op == "response" and "status" in frame.reason]
        named = cbor.loads(status[0].data)["root_key"]
        assert recorded_root_keys(recorded_network) == [named]

    @pytest.mark.parametrize(
        ("code", "data"),
        [
            (500, cbor.dumps({"root_key": MAINNET_ROOT_KEY})),
            (200, b"\xff"),
            (200, cbor.dumps([])),
            (200, cbor.dumps({})),
        ],
    )
    def test_none_of_an_answer_that_names_none(self, code, data):
        frame = Frame(1.0, "in", "response", data, code, "GET /api/v2/status")
        assert recorded_root_keys(Capture(frames=[frame])) == []


class TestAnyAnswer:
    @pytest.mark.parametrize(
        ("code", "data", "outcome"),
        [
            (202, b"", "accepted"),
            (503, b"over\nloaded", "refused"),
            (200, b"\xff", "unreadable"),
            (200, cbor.dumps([1]), "unreadable"),
            (200, cbor.dumps({"status": "replied", "certificate": b"\xff"}), "replied"),
            (200, cbor.dumps({"reject_code": 4, "reject_message": "no"}), "rejected"),
            (200, cbor.dumps({}), "replied"),
        ],
    )
    def test_has_an_outcome(self, code, data, outcome):
        call = exchange((code, data))
        assert (call.outcome, call.request_type) == (outcome, None)
        assert "\n" not in call.text

    def test_one_replica_rejects_without_execution(self):
        said = {"reject_code": 5, "reject_message": "trapped", "error_code": "IC0503"}
        alone = exchange((200, cbor.dumps(said | {"status": "non_replicated_rejection"})))
        assert (alone.outcome, alone.is_executed, alone.text) == ("rejected", False, "IC0503: trapped")
        assert exchange((200, cbor.dumps(said | {"status": "rejected"}))).is_executed

    def test_none_given(self):
        assert (exchange().outcome, exchange().response) == ("unanswered", None)

    def test_a_broken_certificate_for_a_real_call(self, recorded_network):
        body = next(f.data for f in recorded_network.frames if f.op == "request" and b"ws_open" in f.data)
        broken = cbor.dumps({"status": "replied", "certificate": b"\xff"})
        assert exchange((200, broken), body=body).outcome == "unreadable"
