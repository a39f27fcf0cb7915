"""Outcomes of calls in a certified state, and signatures under the answers to queries."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.lab.replica.subnet import signed
from icws_explore.protocol import hashtree, leb128
from icws_explore.protocol.certificate import Certificate, CertificateIssuer
from icws_explore.protocol.certificate.answers import (
    MAX_SIGNATURES,
    CallStatus,
    call_status,
    check_query_answer,
    node_keys,
)
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.errors import MessageError
from icws_explore.protocol.hashtree import Nested
from icws_explore.protocol.keys import Ed25519Identity
from support.certificates import NOW_NS, RANGES

REQUEST = bytes(range(32))
NODE = Ed25519Identity.from_secret(b"\x05" * 32)
KEYS = {NODE.principal.raw: NODE.public_key_der}


def state_with(leaves: dict[bytes, bytes]) -> hashtree.HashTree:
    content: Nested = {b"request_status": {REQUEST: leaves, bytes(32): {b"status": b"done"}}}
    return hashtree.build(content)


class TestCallStatus:
    def test_a_reply(self) -> None:
        assert call_status(state_with({b"status": b"replied", b"reply": b"DIDL"}), REQUEST) == CallStatus(
            "replied", b"DIDL"
        )

    def test_a_reject(self) -> None:
        leaves = {
            b"status": b"rejected",
            b"reject_code": leb128.encode_unsigned(5),
            b"reject_message": "no\xff".encode("latin-1"),
            b"error_code": b"IC0503",
        }
        said = call_status(state_with(leaves), REQUEST)
        assert said == CallStatus("rejected", b"", 5, "no�", "IC0503")
        del leaves[b"error_code"]
        assert call_status(state_with(leaves), REQUEST).error_code == ""

    @pytest.mark.parametrize("status", ["received", "processing", "done"])
    def test_no_outcome(self, status: str) -> None:
        assert call_status(state_with({b"status": status.encode()}), REQUEST) == CallStatus(status)

    def test_a_call_that_the_state_does_not_know(self) -> None:
        assert call_status(state_with({b"status": b"done"}), b"\x77" * 32).status == "unknown"

    @pytest.mark.parametrize(
        ("leaves", "said"),
        [
            ({b"status": b"replied"}, "does not show its reply"),
            ({b"status": b"rejected"}, "does not show its reject_code"),
            ({b"status": b"rejected", b"reject_code": b"\x80"}, "reject_code"),
            ({b"status": b"rejected", b"reject_code": b"\x05"}, "does not show its reject_message"),
        ],
    )
    def test_an_incomplete_outcome(self, leaves: dict[bytes, bytes], said: str) -> None:
        with pytest.raises(MessageError, match=said):
            call_status(state_with(leaves), REQUEST)

    def test_a_pruned_outcome(self) -> None:
        tree = hashtree.prune(state_with({b"status": b"replied", b"reply": b""}), [(b"request_status", bytes(32))])
        with pytest.raises(MessageError, match="does not show it"):
            call_status(tree, REQUEST)


class TestNodeKeys:
    def certificate(self, nodes: Nested, *, delegated: bool) -> tuple[Certificate, bytes]:
        issuer = CertificateIssuer(b"root", b"subnet", RANGES, "classic" if delegated else None)
        subnet = issuer.subnet_id if delegated else issuer.root_subnet_id
        tree = hashtree.build({b"subnet": {subnet.raw: {b"node": nodes}}, b"time": leb128.encode_unsigned(NOW_NS)})
        return Certificate.decode(issuer.certify(tree)), issuer.root_key_der

    @pytest.mark.parametrize("delegated", [False, True])
    def test_are_those_of_the_subnet_that_certifies(self, delegated: bool) -> None:
        nodes: Nested = {NODE.principal.raw: {b"public_key": NODE.public_key_der}, b"another": {b"x": b""}}
        certificate, root_key = self.certificate(nodes, delegated=delegated)
        assert node_keys(certificate, root_key) == KEYS

    def test_are_none_if_the_certificate_does_not_show_them(self) -> None:
        certificate, root_key = self.certificate(b"a leaf", delegated=True)
        assert node_keys(certificate, root_key) == {}

    def test_other_kinds_of_nodes_in_the_tree_are_left_out(self) -> None:
        nodes: Nested = {NODE.principal.raw: {b"public_key": NODE.public_key_der}, b"~": {b"public_key": b"x"}}
        certificate, root_key = self.certificate(nodes, delegated=True)
        subnet = certificate.delegation
        assert subnet is not None
        path = (b"subnet", subnet.subnet_id.raw, b"node", NODE.principal.raw)
        pruned = Certificate(hashtree.prune(certificate.tree, [path]), certificate.signature, subnet, b"")
        assert node_keys(pruned, root_key) == KEYS


def answered(now_ns: int = NOW_NS, **changes: Any) -> dict[str, Any]:
    return signed({"status": "replied", "reply": {"arg": b"DIDL\0\0"}}, REQUEST, now_ns, NODE) | changes


def failing(answer: dict[str, Any], now_ns: int = NOW_NS) -> tuple[str, str]:
    steps = check_query_answer(answer, REQUEST, KEYS, now_ns=now_ns)
    failed = [step for step in steps if step.ok is False]
    assert len(failed) == 1
    after = steps[steps.index(failed[0]) + 1 :]
    assert all(step.ok is None for step in after)
    assert [step.step for step in steps] == ["node", "signature", "time"]
    return failed[0].step, failed[0].detail


class TestQueryAnswers:
    def test_a_node_of_the_subnet_signs(self) -> None:
        steps = check_query_answer(answered(), REQUEST, KEYS, now_ns=NOW_NS)
        assert [(step.step, step.ok) for step in steps] == [("node", True), ("signature", True), ("time", True)]

    def test_a_reject_is_signed_too(self) -> None:
        reject = {"status": "rejected", "reject_code": 5, "reject_message": "no", "error_code": "IC0503"}
        answer = signed(reject, REQUEST, NOW_NS, NODE)
        assert all(step.ok for step in check_query_answer(answer, REQUEST, KEYS, now_ns=NOW_NS))

    @pytest.mark.parametrize(
        ("changes", "step"),
        [
            ({"reply": {"arg": b"DIDL\0\1"}}, "signature"),
            ({"status": "rejected"}, "signature"),
            ({"more": 1}, "signature"),
            ({"more": 1.5}, "signature"),
            ({"signatures": []}, "node"),
            ({"signatures": "none"}, "node"),
            ({"signatures": [{}]}, "node"),
            ({"signatures": [{"identity": b"x", "signature": b"", "timestamp": 0}]}, "node"),
        ],
    )
    def test_a_changed_one_fails(self, changes: dict[str, Any], step: str) -> None:
        assert failing(answered(**changes))[0] == step

    def test_every_signature_must_be_valid(self) -> None:
        answer = answered()
        wrong = {**answer["signatures"][0], "signature": bytes(64)}
        assert failing({**answer, "signatures": [*answer["signatures"], wrong]})[0] == "signature"

    def test_so_many_signatures_are_not_checked(self) -> None:
        answer = answered()
        many = answer["signatures"] * (MAX_SIGNATURES + 1)
        assert "more than" in failing({**answer, "signatures": many})[1]

    def test_another_request_fails(self) -> None:
        steps = check_query_answer(answered(), bytes(32), KEYS, now_ns=NOW_NS)
        assert [step.ok for step in steps] == [True, False, None]

    @pytest.mark.parametrize(("seconds", "said"), [(301, "301 s old"), (-301, "in the future")])
    def test_an_old_one_and_one_from_the_future_fail(self, seconds: int, said: str) -> None:
        step, detail = failing(answered(), NOW_NS + seconds * NS_PER_S)
        assert step == "time"
        assert said in detail

    @given(
        st.dictionaries(
            st.text(max_size=8) | st.just("signatures"),
            st.recursive(
                st.none() | st.integers() | st.binary(max_size=8) | st.text(max_size=8) | st.floats(),
                lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
            ),
            max_size=4,
        )
    )
    def test_nothing_else_is_accepted(self, answer: dict[str, Any]) -> None:
        steps = check_query_answer(answer, REQUEST, KEYS, now_ns=NOW_NS)
        assert not all(step.ok for step in steps)
