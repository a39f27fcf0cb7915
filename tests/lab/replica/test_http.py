"""The replica's endpoints over real HTTP: what each accepts and what it refuses."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from icws_explore.lab import Lab
from icws_explore.lab.replica.http import MAX_BODY
from icws_explore.lab.replica.subnet import canister_principal
from icws_explore.protocol import cbor
from icws_explore.protocol.arguments import decode_result, encode_poll_args
from icws_explore.protocol.certificate import Certificate, check_certificate
from icws_explore.protocol.envelope import Envelope
from icws_explore.protocol.hashtree import Found, FoundSubtree, lookup, lookup_value
from icws_explore.protocol.keys import AnonymousIdentity, bls
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.steps import passed
from support.lab_requests import Answer, Requests, ask, requests_for

ABSENT = canister_principal(0x8000000000100009)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab(app="echo", seed=1) as lab:
        yield lab


def canister(lab: Lab, version: str, kind: str, canister_id: Principal | None = None) -> str:
    return f"{lab.network_url}/api/{version}/canister/{canister_id or lab.canister_id}/{kind}"


def checked(lab: Lab, data: bytes) -> Certificate:
    certificate, steps = check_certificate(
        data, canister_id=lab.canister_id, root_key=lab.root_key, now_ns=lab.clock.now_ns(), max_age_s=30
    )
    assert passed(steps), steps
    assert certificate is not None
    return certificate


def layout_of(certificate: Certificate) -> str:
    assert certificate.delegation is not None
    tree = Certificate.decode(certificate.delegation.certificate).tree
    sharded = lookup(tree, (b"canister_ranges", certificate.delegation.subnet_id.raw))
    return "sharded" if isinstance(sharded, FoundSubtree) else "classic"


class TestStatus:
    async def test_has_the_root_key(self, lab: Lab) -> None:
        answer = await ask(f"{lab.network_url}/api/v2/status", verb="GET", headers={})
        assert answer.headers["Content-Type"] == "application/cbor"
        assert answer.body.startswith(cbor.SELF_DESCRIBE)
        assert answer.cbor["root_key"] == lab.root_key
        assert len(bls.key_from_der(answer.cbor["root_key"])) == 96

    async def test_answers_the_request_of_the_real_gateway(self, lab: Lab) -> None:
        answer = await ask(f"{lab.network_url}/api/v2/status", verb="GET")
        assert answer.cbor["replica_health_status"] == "healthy"


class TestCall:
    @pytest.mark.parametrize(("version", "layout"), [("v3", "classic"), ("v4", "sharded")])
    async def test_a_synchronous_call_is_answered_with_a_certificate(self, lab: Lab, version: str, layout: str) -> None:
        body = requests_for(lab).open(lab.gateway_principal)
        answer = (await ask(canister(lab, version, "call"), body)).cbor
        assert answer["status"] == "replied"
        certificate = checked(lab, answer["certificate"])
        assert layout_of(certificate) == layout
        path = (b"request_status", Envelope.decode(body).request_id)
        assert lookup(certificate.tree, (*path, b"status")) == Found(b"replied")
        assert decode_result(lookup_value(certificate.tree, (*path, b"reply")) or b"") is None

    async def test_an_asynchronous_call_is_answered_with_202_and_read_state_has_the_outcome(self, lab: Lab) -> None:
        requests = requests_for(lab)
        body = requests.open(lab.gateway_principal)
        answer = await ask(canister(lab, "v2", "call"), body)
        assert (answer.status, answer.body) == (202, b"")
        path = (b"request_status", Envelope.decode(body).request_id, b"status")
        async with asyncio.timeout(60):
            while True:
                read = await ask(canister(lab, "v2", "read_state"), requests.read_state([path]))
                status = lookup_value(checked(lab, read.cbor["certificate"]).tree, path)
                if status == b"replied":
                    return
                assert status in (b"received", b"processing")

    async def test_a_copy_gets_the_same_answer_and_is_not_executed(self, lab: Lab) -> None:
        body = requests_for(lab).open(lab.gateway_principal)
        request_id = Envelope.decode(body).request_id
        replies = set()
        for _ in range(3):
            answer = (await ask(canister(lab, "v3", "call"), body)).cbor
            tree = checked(lab, answer["certificate"]).tree
            replies.add(lookup_value(tree, (b"request_status", request_id, b"reply")))
        assert len(replies) == 1
        executed = [e for e in lab.events if e.facts.get("request_id") == request_id.hex() and e.part == "canister"]
        assert [event.kind for event in executed] == ["accepted"]

    async def test_two_copies_at_the_same_time_are_one_call(self, lab: Lab) -> None:
        body = requests_for(lab).open(lab.gateway_principal)
        answers = await asyncio.gather(*(ask(canister(lab, "v3", "call"), body) for _ in range(2)))
        assert sorted(answer.status for answer in answers) == [200, 202]

    async def test_a_rejection_is_certified(self, lab: Lab) -> None:
        body = requests_for(lab).call("ws_open", b"no Candid")
        answer = (await ask(canister(lab, "v3", "call"), body)).cbor
        path = (b"request_status", Envelope.decode(body).request_id, b"reject_code")
        assert lookup_value(checked(lab, answer["certificate"]).tree, path) == b"\x05"

    @pytest.mark.parametrize("version", ["v3", "v4"])
    async def test_a_canister_that_does_not_exist_is_a_reject(self, lab: Lab, version: str) -> None:
        body = Requests(ABSENT, lab.clock.now_ns()).open(lab.gateway_principal)
        answer = (await ask(canister(lab, version, "call", ABSENT), body)).cbor
        assert answer == {
            "status": "non_replicated_rejection",
            "reject_code": 3,
            "reject_message": f"Canister {ABSENT} not found",
            "error_code": "IC0301",
        }

    async def test_the_older_endpoint_answers_without_a_status(self, lab: Lab) -> None:
        body = Requests(ABSENT, lab.clock.now_ns()).open(lab.gateway_principal)
        answer = (await ask(canister(lab, "v2", "call", ABSENT), body)).cbor
        assert (answer["reject_code"], "status" in answer) == (3, False)

    async def test_a_call_to_a_subnet_is_rejected(self, lab: Lab) -> None:
        body = Requests(Principal.MANAGEMENT, lab.clock.now_ns()).call("create_canister", b"")
        answer = await ask(f"{lab.network_url}/api/v4/subnet/{lab.canister_id}/call", body)
        assert answer.cbor["status"] == "non_replicated_rejection"

    async def test_the_anonymous_identity_may_call_but_not_open(self, lab: Lab) -> None:
        body = requests_for(lab, AnonymousIdentity()).open(lab.gateway_principal)
        answer = (await ask(canister(lab, "v3", "call"), body)).cbor
        path = (b"request_status", Envelope.decode(body).request_id, b"reply")
        reply = lookup_value(checked(lab, answer["certificate"]).tree, path)
        assert decode_result(reply or b"") == "Anonymous principal is not allowed"


class TestQuery:
    @pytest.mark.parametrize("version", ["v2", "v3"])
    async def test_the_answer_is_signed(self, lab: Lab, version: str) -> None:
        body = requests_for(lab).query("ws_get_messages", encode_poll_args(0))
        answer = (await ask(canister(lab, version, "query"), body)).cbor
        assert answer["status"] == "replied"
        assert set(answer["signatures"][0]) == {"timestamp", "signature", "identity"}

    async def test_a_reject_is_an_answer(self, lab: Lab) -> None:
        answer = (await ask(canister(lab, "v2", "query"), requests_for(lab).query("nothing", b""))).cbor
        assert (answer["status"], answer["reject_code"], answer["error_code"]) == ("rejected", 5, "IC0536")


class TestReadState:
    @pytest.mark.parametrize(("version", "layout"), [("v2", "classic"), ("v3", "sharded")])
    async def test_the_anonymous_identity_may_read_the_time(self, lab: Lab, version: str, layout: str) -> None:
        body = requests_for(lab, AnonymousIdentity()).read_state([(b"time",)])
        answer = await ask(canister(lab, version, "read_state"), body)
        certificate = checked(lab, answer.cbor["certificate"])
        assert layout_of(certificate) == layout
        assert abs((certificate.time_ns or 0) - lab.clock.now_ns()) < 30e9

    @pytest.mark.parametrize("version", ["v2", "v3"])
    async def test_the_subnet_endpoint_has_the_node_keys(self, lab: Lab, version: str) -> None:
        at_canister = requests_for(lab, AnonymousIdentity()).read_state([(b"subnet",)])
        answer = await ask(canister(lab, "v2", "read_state"), at_canister)
        delegation = checked(lab, answer.cbor["certificate"]).delegation
        assert delegation is not None
        path = (b"subnet", delegation.subnet_id.raw, b"node")
        body = requests_for(lab, AnonymousIdentity()).read_state([path])
        answer = await ask(f"{lab.network_url}/api/{version}/subnet/{delegation.subnet_id}/read_state", body)
        nodes = lookup(Certificate.decode(answer.cbor["certificate"]).tree, path)
        assert isinstance(nodes, FoundSubtree)

    async def test_the_call_of_another_sender_is_refused(self, lab: Lab) -> None:
        body = requests_for(lab).open(lab.gateway_principal)
        await ask(canister(lab, "v3", "call"), body)
        path = (b"request_status", Envelope.decode(body).request_id, b"status")
        answer = await ask(canister(lab, "v2", "read_state"), requests_for(lab).read_state([path]))
        assert (answer.status, answer.text) == (403, "The user tries to access Request ID not signed by the caller.")


class TestRefusals:
    async def expect(self, answer: Answer, status: int, text: str) -> None:
        assert answer.status == status
        assert text in answer.text
        assert answer.headers["Access-Control-Allow-Origin"] == "*"

    async def test_expired(self, lab: Lab) -> None:
        body = requests_for(lab).call("ws_open", b"", expiry_ns=300_000)
        await self.expect(await ask(canister(lab, "v3", "call"), body), 400, "Specified ingress_expiry not within")

    async def test_badly_signed(self, lab: Lab) -> None:
        envelope = Envelope.decode(requests_for(lab).open(lab.gateway_principal))
        body = Envelope(envelope.content, envelope.sender_pubkey, bytes(64)).encode()
        await self.expect(await ask(canister(lab, "v3", "call"), body), 400, "Invalid signature: ")

    async def test_a_canister_that_is_not_in_the_url(self, lab: Lab) -> None:
        body = requests_for(lab).open(lab.gateway_principal)
        await self.expect(
            await ask(canister(lab, "v3", "call", ABSENT), body), 400, "does not match effective canister id in URL"
        )

    async def test_a_body_that_is_not_cbor(self, lab: Lab) -> None:
        await self.expect(await ask(canister(lab, "v2", "query"), b"\xff\xff"), 400, "Malformed request")

    async def test_another_content_type(self, lab: Lab) -> None:
        headers = {"Content-Type": "application/json"}
        answer = await ask(canister(lab, "v2", "query"), b"{}", headers=headers)
        await self.expect(answer, 400, "Unexpected content-type")

    async def test_a_url_without_a_principal(self, lab: Lab) -> None:
        answer = await ask(f"{lab.network_url}/api/v2/canister/nobody/query", b"")
        await self.expect(answer, 400, "Cannot parse `effective_canister_id`")

    async def test_no_such_endpoint(self, lab: Lab) -> None:
        await self.expect(await ask(f"{lab.network_url}/api/v9/status", verb="GET"), 404, "Not Found")
        await self.expect(await ask(canister(lab, "v9", "call"), b""), 404, "Not Found")
        await self.expect(await ask(canister(lab, "v2", "query"), verb="GET"), 405, "Method Not Allowed")

    async def test_larger_than_an_ingress_message(self, lab: Lab) -> None:
        body = requests_for(lab).call("ws_message", bytes(2 * 1024 * 1024))
        await self.expect(await ask(canister(lab, "v3", "call"), body), 413, "is larger than the max allowed 2097152")

    async def test_larger_than_any_request(self, lab: Lab) -> None:
        await self.expect(await ask(canister(lab, "v3", "call"), bytes(MAX_BODY + 1)), 413, "bigger than")


class TestBrowsers:
    async def test_preflight(self, lab: Lab) -> None:
        headers = {
            "Origin": "http://localhost:3000",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type",
            "Access-Control-Request-Private-Network": "true",
        }
        answer = await ask(canister(lab, "v3", "call"), verb="OPTIONS", headers=headers)
        assert answer.status == 204
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert "POST" in answer.headers["Access-Control-Allow-Methods"]
        assert "Content-Type" in answer.headers["Access-Control-Allow-Headers"]
        assert answer.headers["Access-Control-Allow-Private-Network"] == "true"

    async def test_every_answer_may_be_read_by_pages(self, lab: Lab) -> None:
        answer = await ask(f"{lab.network_url}/api/v2/status", verb="GET", headers={"Origin": "http://localhost:3000"})
        assert answer.headers["Access-Control-Allow-Origin"] == "*"

    @pytest.mark.parametrize(
        ("headers", "said"),
        [
            ({"Origin": "https://evil.example"}, "--allow-origin https://evil.example"),
            ({"Origin": "null"}, "--allow-origin null"),
            ({"Host": "evil.example"}, "--allow-host evil.example"),
            ({"Sec-Fetch-Site": "cross-site"}, "other sites"),
        ],
    )
    async def test_other_pages_are_refused_and_may_read_nothing(
        self, lab: Lab, headers: dict[str, str], said: str
    ) -> None:
        """It runs its user's code; a page whose name is rebound to this machine has no Origin where it only reads."""
        answer = await ask(f"{lab.network_url}/api/v2/status", verb="GET", headers=headers)
        assert answer.status == 403
        assert said in answer.body.decode()
        assert "Access-Control-Allow-Origin" not in answer.headers
