from __future__ import annotations

import pytest

from icws_explore.lab.apps import load
from icws_explore.lab.canister import LabCanister
from icws_explore.lab.log import LabLog
from icws_explore.lab.replica.admission import NotReplicated, Refused
from icws_explore.lab.replica.read_state import Target
from icws_explore.lab.replica.replica import Replica
from icws_explore.lab.replica.subnet import LabKeys, canister_principal
from icws_explore.protocol.arguments import (
    PollResult,
    decode_poll_result,
    decode_result,
    encode_open_args,
    encode_poll_args,
)
from icws_explore.protocol.canister import CdkConfig
from icws_explore.protocol.certificate import Certificate, Layout, check_certificate
from icws_explore.protocol.constants import ACK_INTERVAL_MS
from icws_explore.protocol.envelope import Envelope
from icws_explore.protocol.hashtree import Absent, Found, Path, lookup
from icws_explore.protocol.keys import Ed25519Identity
from icws_explore.protocol.messages import CanisterMessage
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.steps import passed
from icws_explore.protocol.verify import authentic, check_message
from support.fake_clock import FakeClock
from support.lab_requests import Requests

CANISTER, ABSENT = canister_principal(0x8000000000100000), canister_principal(0x8000000000100009)
GATEWAY = Ed25519Identity.from_secret(b"g" * 32)
LATENCY_MS = 50


class Scene:
    """A replica with a ping-pong canister, a clock that the test moves, and a client."""

    def __init__(self, *, delegated: bool = True, seed: int = 1) -> None:
        self.clock = FakeClock()
        self.log = LabLog(self.clock.now_ns)
        self.replica = Replica(
            LabKeys(seed), self.clock.now_ns, self.log, update_latency_ms=LATENCY_MS, delegated=delegated
        )
        self.canister = LabCanister(
            self.replica.add_canister(CANISTER), load("pingpong"), CdkConfig(), self.clock.now_ns
        )
        self.canister.install()
        self.alice = Requests(CANISTER, self.clock.ns, Ed25519Identity.from_secret(b"a" * 32))

    def execute(self) -> list[bytes]:
        self.clock.advance_ms(LATENCY_MS)
        return self.replica.execute()

    def call(self, body: bytes) -> bytes:
        """Submit and execute a call; return its request id."""
        submission = self.replica.submit(body, CANISTER)
        assert self.execute() == [submission.request_id]
        return submission.request_id

    def read(self, path: Path, *, layout: Layout = "classic", by: Requests | None = None) -> object:
        certificate = self.replica.read_state((by or self.alice).read_state([path]), CANISTER, Target.CANISTER, layout)
        return lookup(self.checked(certificate).tree, path)

    def checked(self, data: bytes) -> Certificate:
        certificate, steps = check_certificate(
            data, canister_id=CANISTER, root_key=self.replica.root_key, now_ns=self.clock.ns, max_age_s=0
        )
        assert passed(steps), steps
        assert certificate is not None
        return certificate

    @property
    def kinds(self) -> list[str]:
        return [event.kind for event in self.log.events]


@pytest.fixture
def scene() -> Scene:
    return Scene()


class TestCall:
    def test_is_first_received_then_replied(self, scene: Scene) -> None:
        submission = scene.replica.submit(scene.alice.open(GATEWAY.principal), CANISTER)
        status = (b"request_status", submission.request_id, b"status")
        assert scene.read(status) == Found(b"received")
        assert scene.replica.execute() == []
        scene.clock.advance_ms(LATENCY_MS)
        assert scene.replica.next_due_ns() == scene.clock.ns
        assert scene.replica.execute() == [submission.request_id]
        assert scene.read(status) == Found(b"replied")
        reply = scene.read((b"request_status", submission.request_id, b"reply"))
        assert isinstance(reply, Found)
        assert decode_result(reply.value) is None

    def test_calls_run_in_the_order_of_arrival(self, scene: Scene) -> None:
        first = scene.replica.submit(scene.alice.open(GATEWAY.principal, 1), CANISTER)
        second = scene.replica.submit(scene.alice.open(GATEWAY.principal, 2), CANISTER)
        assert scene.execute() == [first.request_id, second.request_id]

    def test_its_certificate_is_valid_in_both_layouts(self, scene: Scene) -> None:
        request_id = scene.call(scene.alice.open(GATEWAY.principal))
        for layout in ("classic", "sharded"):
            certificate = scene.checked(scene.replica.certify_request(request_id, layout))
            assert lookup(certificate.tree, (b"request_status", request_id, b"status")) == Found(b"replied")
            assert certificate.time_ns == scene.clock.ns

    def test_without_a_delegation_the_root_key_signs(self) -> None:
        scene = Scene(delegated=False)
        certificate = scene.checked(
            scene.replica.certify_request(scene.call(scene.alice.open(GATEWAY.principal)), "classic")
        )
        assert certificate.delegation is None


class TestReplay:
    def test_is_not_executed_twice(self, scene: Scene) -> None:
        body = scene.alice.open(GATEWAY.principal)
        first = scene.replica.submit(body, CANISTER)
        again = scene.replica.submit(body, CANISTER)
        assert again.request_id == first.request_id
        assert not again.finished
        assert scene.execute() == [first.request_id]
        assert scene.replica.submit(body, CANISTER).finished
        assert scene.execute() == []
        assert scene.kinds.count("accepted") == 1
        assert scene.kinds.count("replayed") == 2

    def test_the_same_call_with_another_nonce_is_another_call(self, scene: Scene) -> None:
        scene.call(scene.alice.open(GATEWAY.principal))
        request_id = scene.call(scene.alice.open(GATEWAY.principal))
        reply = scene.read((b"request_status", request_id, b"reply"))
        assert isinstance(reply, Found)
        assert "already has an open connection" in (decode_result(reply.value) or "")
        assert scene.kinds[-1] == "err"

    def test_is_recognised_until_its_expiry(self, scene: Scene) -> None:
        body = scene.alice.open(GATEWAY.principal)
        scene.call(body)
        scene.clock.advance_ms(239_000)
        scene.replica.execute()
        assert scene.replica.submit(body, CANISTER).finished
        scene.clock.advance_ms(2_000)
        with pytest.raises(Refused, match="Invalid request expiry"):
            scene.replica.submit(body, CANISTER)


class TestForget:
    def test_an_answer_is_forgotten_after_the_ingress_window(self, scene: Scene) -> None:
        request_id = scene.call(scene.alice.open(GATEWAY.principal))
        scene.clock.advance_ms(300_000)
        scene.replica.execute()
        later = Requests(CANISTER, scene.clock.ns, scene.alice.identity)
        assert scene.read((b"request_status", request_id, b"status"), by=later) == Absent()


class TestRejects:
    def test_a_canister_that_does_not_exist(self, scene: Scene) -> None:
        body = Requests(ABSENT, scene.clock.ns).open(GATEWAY.principal)
        with pytest.raises(NotReplicated) as rejected:
            scene.replica.submit(body, ABSENT)
        assert (rejected.value.reject.code, rejected.value.reject.error_code) == (3, "IC0301")
        assert scene.kinds[-1] == "rejected"

    def test_the_management_canister(self, scene: Scene) -> None:
        body = Requests(Principal.MANAGEMENT, scene.clock.ns).call("raw_rand", b"")
        with pytest.raises(NotReplicated, match="no method 'raw_rand'"):
            scene.replica.submit(body, CANISTER)

    def test_a_stopped_canister(self, scene: Scene) -> None:
        scene.replica.stop_canister(CANISTER)
        with pytest.raises(NotReplicated, match="is stopped"):
            scene.replica.submit(scene.alice.open(GATEWAY.principal), CANISTER)

    def test_the_timers_of_a_stopped_canister_do_not_fire(self, scene: Scene) -> None:
        scene.call(scene.alice.open(GATEWAY.principal))
        before = scene.canister.view().clients
        scene.replica.stop_canister(CANISTER)
        scene.clock.advance_ms(4 * ACK_INTERVAL_MS)
        scene.execute()
        assert scene.canister.view().clients == before

    def test_a_canister_stopped_between_submission_and_execution(self, scene: Scene) -> None:
        submission = scene.replica.submit(scene.alice.open(GATEWAY.principal), CANISTER)
        scene.replica.stop_canister(CANISTER)
        scene.execute()
        assert scene.read((b"request_status", submission.request_id, b"error_code")) == Found(b"IC0508")

    @pytest.mark.parametrize(
        ("method", "arg", "error_code", "kind"),
        [("no_such_method", b"", b"IC0536", "rejected"), ("ws_open", b"garbage", b"IC0503", "trapped")],
    )
    def test_an_unknown_method_and_a_trap(
        self, scene: Scene, method: str, arg: bytes, error_code: bytes, kind: str
    ) -> None:
        request_id = scene.call(scene.alice.call(method, arg))
        assert scene.read((b"request_status", request_id, b"status")) == Found(b"rejected")
        assert scene.read((b"request_status", request_id, b"reject_code")) == Found(b"\x05")
        assert scene.read((b"request_status", request_id, b"error_code")) == Found(error_code)
        assert scene.kinds[-1] == kind


class TestReadState:
    def test_only_the_sender_may_read_a_call(self, scene: Scene) -> None:
        request_id = scene.call(scene.alice.open(GATEWAY.principal))
        with pytest.raises(Refused, match="not signed by the caller") as refusal:
            scene.read((b"request_status", request_id, b"status"), by=Requests(CANISTER, scene.clock.ns))
        assert refusal.value.status == 403
        assert scene.kinds[-1] == "refused"

    def test_only_the_sender_may_read_a_call_at_the_subnet(self, scene: Scene) -> None:
        request_id = scene.call(scene.alice.open(GATEWAY.principal))
        path = (b"request_status", request_id, b"status")
        own = scene.alice.read_state([path])
        subnet_id = scene.replica.subnet_id
        certificate = Certificate.decode(scene.replica.read_state(own, subnet_id, Target.SUBNET, "sharded"))
        assert lookup(certificate.tree, path) == Found(b"replied")
        unsigned = Envelope(Envelope.decode(own).content).encode()
        with pytest.raises(Refused, match="Missing signature"):
            scene.replica.read_state(unsigned, subnet_id, Target.SUBNET, "sharded")
        with pytest.raises(Refused, match="Invalid path requested"):
            scene.replica.read_state(unsigned, subnet_id, Target.SUBNET, "classic")

    def test_the_interface_of_a_canister_is_public(self, scene: Scene) -> None:
        shown = scene.read((b"canister", CANISTER.raw, b"metadata", b"candid:service"))
        assert shown == Found(scene.canister.did.encode())

    def test_the_nodes_of_the_subnet_are_public(self, scene: Scene) -> None:
        body = scene.alice.read_state([(b"subnet", scene.replica.subnet_id.raw, b"node")])
        data = scene.replica.read_state(body, scene.replica.subnet_id, Target.SUBNET, "classic")
        certificate, steps = check_certificate(
            data, canister_id=None, root_key=scene.replica.root_key, now_ns=scene.clock.ns
        )
        assert all(step.ok is not False for step in steps)
        assert certificate is not None


class TestQuery:
    def poll(self, scene: Scene, layout: Layout) -> PollResult:
        gateway = Requests(CANISTER, scene.clock.ns, GATEWAY)
        answer = scene.replica.query(gateway.query("ws_get_messages", encode_poll_args(0)), CANISTER, layout)
        assert answer["status"] == "replied"
        result = decode_poll_result(answer["reply"]["arg"])
        assert isinstance(result, PollResult)
        return result

    @pytest.mark.parametrize("layout", ["classic", "sharded"])
    def test_a_poll_sees_a_certificate_of_the_certified_data(self, scene: Scene, layout: Layout) -> None:
        scene.call(scene.alice.open(GATEWAY.principal))
        result = self.poll(scene, layout)
        assert len(result.messages) == 2  # the OpenMessage and the first ping
        for message in result.messages:
            steps = check_message(
                CanisterMessage(message.key, message.content, result.cert, result.tree),
                canister_id=CANISTER,
                root_key=scene.replica.root_key,
                now_ns=scene.clock.ns,
            )
            assert authentic(steps), steps

    def test_the_certificate_has_the_layout_of_the_endpoint(self, scene: Scene) -> None:
        scene.call(scene.alice.open(GATEWAY.principal))
        shown: dict[Layout, list[bool]] = {}
        for layout in ("classic", "sharded"):
            delegation = Certificate.decode(self.poll(scene, layout).cert).delegation
            assert delegation is not None
            tree = Certificate.decode(delegation.certificate).tree
            subnet_id = delegation.subnet_id.raw
            paths = [(b"subnet", subnet_id, b"canister_ranges"), (b"canister_ranges", subnet_id)]
            shown[layout] = [type(lookup(tree, path)).__name__.startswith("Found") for path in paths]
        assert shown == {"classic": [True, False], "sharded": [False, True]}

    def test_a_query_can_be_repeated(self, scene: Scene) -> None:
        body = scene.alice.query("ws_get_messages", encode_poll_args(0))
        answers = [scene.replica.query(body, CANISTER, "classic") for _ in range(2)]
        assert [answer["status"] for answer in answers] == ["replied", "replied"]

    def test_a_reject_is_an_answer(self, scene: Scene) -> None:
        answer = scene.replica.query(scene.alice.query("no_such_method", b""), CANISTER, "classic")
        assert (answer["status"], answer["reject_code"], answer["error_code"]) == ("rejected", 5, "IC0536")
        elsewhere = Requests(ABSENT, scene.clock.ns).query("ws_get_messages", b"")
        assert scene.replica.query(elsewhere, ABSENT, "classic")["reject_code"] == 3


class TestTimers:
    def test_fire_at_their_time(self, scene: Scene) -> None:
        scene.call(scene.alice.open(GATEWAY.principal))
        due_ns = scene.replica.next_due_ns()
        assert due_ns is not None
        scene.clock.ns = due_ns
        scene.replica.execute()
        view = scene.canister.view([GATEWAY.principal])
        assert view.queues == {GATEWAY.principal: 3}  # the AckMessage too


class TestDeterminism:
    def test_one_seed_gives_one_network(self) -> None:
        first, second, other = Scene(seed=1), Scene(seed=1), Scene(seed=2)
        assert first.replica.root_key == second.replica.root_key != other.replica.root_key
        body = first.alice.call("ws_open", encode_open_args(1, GATEWAY.principal), nonce=b"n")
        ids = [scene.call(body) for scene in (first, second)]
        assert ids == [Envelope.decode(body).request_id] * 2
        certificates = [scene.replica.certify_request(ids[0], "classic") for scene in (first, second)]
        assert certificates[0] == certificates[1]
