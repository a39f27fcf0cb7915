from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.lab.replica.admission import (
    Refused,
    Request,
    admit,
    canister_stopped,
    format_time,
    no_management_method,
)
from icws_explore.lab.replica.subnet import LabKeys, Subnet, canister_principal
from icws_explore.protocol.canister import canister_not_found
from icws_explore.protocol.cbor import dumps
from icws_explore.protocol.constants import MAX_INGRESS_BYTES, NS_PER_S
from icws_explore.protocol.envelope import Envelope, call_content, sign_envelope
from icws_explore.protocol.keys import (
    AnonymousIdentity,
    DelegatedIdentity,
    Ed25519Identity,
    Identity,
    Secp256k1Identity,
    delegate,
)
from icws_explore.protocol.principal import Principal
from support.indefinite import reencoded
from support.lab_requests import Requests

NOW = 1_795_000_000 * NS_PER_S
CANISTER, OTHER = canister_principal(0x8000000000100000), canister_principal(0x8000000000100001)
ROOT_KEY = Subnet(LabKeys(1), delegated=True).root_key
ALICE = Ed25519Identity.from_secret(b"a" * 32)
HOUR_NS = 3600 * NS_PER_S


def admitted(body: bytes, kind: str = "call", now_ns: int = NOW) -> Request:
    return admit(body, kind, CANISTER, now_ns, root_key=ROOT_KEY)


def refused(body: bytes, kind: str = "call", now_ns: int = NOW) -> Refused:
    with pytest.raises(Refused) as refusal:
        admitted(body, kind, now_ns)
    return refusal.value


def requests(identity: Identity = ALICE, canister_id: Principal = CANISTER) -> Requests:
    return Requests(canister_id, NOW, identity)


def delegated(
    root: Identity, *, expiration_ns: int = NOW + HOUR_NS, targets: list[Principal] | None = None
) -> DelegatedIdentity:
    session = Ed25519Identity.from_secret(b"s" * 32)
    link = delegate(root, session.public_key_der, expiration_ns=expiration_ns, targets=targets)
    return DelegatedIdentity(session, root.public_key_der, [link])


def altered(body: bytes, **changes: Any) -> bytes:
    """The envelope with fields of its content changed after signing."""
    envelope = Envelope.decode(body)
    return replace(envelope, content={**envelope.content, **changes}).encode()


class TestAdmit:
    @pytest.mark.parametrize(
        "identity",
        [ALICE, Secp256k1Identity.from_secret(b"b" * 32), delegated(ALICE), AnonymousIdentity()],
        ids=["ed25519", "secp256k1", "delegation", "anonymous"],
    )
    def test_accepts_every_kind_of_identity(self, identity: Identity) -> None:
        request = admitted(requests(identity).call("ws_open", b"DIDL\x00\x00"))
        assert request.sender == identity.principal
        assert (request.canister_id, request.method, request.arg) == (CANISTER, "ws_open", b"DIDL\x00\x00")
        assert request.targets is None

    def test_the_request_id_is_that_of_the_content(self) -> None:
        body = requests().call("ws_open", b"")
        assert admitted(body).request_id == Envelope.decode(body).request_id

    @pytest.mark.parametrize("chunks", [False, True])
    def test_accepts_cbor_of_indefinite_length(self, chunks: bool) -> None:
        body = requests(delegated(ALICE)).call("ws_open", b"DIDL\x00\x00")
        assert admitted(reencoded(body, chunks=chunks)) == admitted(body)

    def test_keeps_the_targets_of_the_delegation_for_read_state(self) -> None:
        identity = delegated(ALICE, targets=[CANISTER, OTHER])
        assert admitted(requests(identity).call("ws_open", b"")).targets == {CANISTER, OTHER}

    def test_accepts_queries_and_read_state_requests(self) -> None:
        assert admitted(requests().query("ws_get_messages", b""), "query").method == "ws_get_messages"
        assert admitted(requests().read_state([(b"time",)]), "read_state").paths == [[b"time"]]


class TestExpiry:
    """A replica accepts an expiry from now to 5 min and 30 s from now, both included."""

    @pytest.mark.parametrize("left_ns", [0, 1, 330 * NS_PER_S])
    def test_within_the_window_is_accepted(self, left_ns: int) -> None:
        admitted(requests().call("ws_open", b"", expiry_ns=NOW + left_ns))

    @pytest.mark.parametrize("left_ns", [-1, 330 * NS_PER_S + 1])
    def test_outside_the_window_is_refused(self, left_ns: int) -> None:
        refusal = refused(requests().call("ws_open", b"", expiry_ns=NOW + left_ns))
        assert refusal.status == 400
        assert refusal.text.startswith(
            "Invalid request expiry: Specified ingress_expiry not within expected range: "
            "Minimum allowed expiry: 2026-11-18 "
        )

    def test_a_refusal_names_the_window(self) -> None:
        refusal = refused(requests().call("ws_open", b"", expiry_ns=300_000))
        assert refusal.text == (
            "Invalid request expiry: Specified ingress_expiry not within expected range: "
            "Minimum allowed expiry: 2026-11-18 11:06:40 UTC, "
            "Maximum allowed expiry: 2026-11-18 11:12:10 UTC, "
            "Provided expiry:        1970-01-01 00:00:00.000300 UTC"
        )


class TestSender:
    def test_content_changed_after_signing_is_refused(self) -> None:
        refusal = refused(altered(requests().call("ws_open", b""), arg=b"other"))
        assert (refusal.status, refusal.text.startswith("Invalid signature: ")) == (400, True)

    def test_the_key_of_another_sender_is_refused(self) -> None:
        body = altered(requests().call("ws_open", b""), sender=Secp256k1Identity.generate().principal.raw)
        assert "does not match the public key" in refused(body).text

    def test_a_missing_signature_is_refused(self) -> None:
        envelope = Envelope.decode(requests().call("ws_open", b""))
        assert refused(Envelope(envelope.content).encode()).text == f"Missing signature from user: {ALICE.principal}"

    def test_a_signed_anonymous_request_is_refused(self) -> None:
        content = call_content(CANISTER, "ws_open", b"", Principal.ANONYMOUS, NOW)
        signed = sign_envelope(content, ALICE)
        assert refused(signed.encode()).text == "Signature is not allowed for the anonymous user."

    def test_an_expired_delegation_is_refused(self) -> None:
        refusal = refused(requests(delegated(ALICE, expiration_ns=NOW - 1)).call("ws_open", b""))
        assert refusal.status == 400
        assert refusal.text.startswith("Invalid delegation expiry: Specified sender delegation has expired:")

    def test_a_delegation_is_valid_up_to_its_last_nanosecond(self) -> None:
        admitted(requests(delegated(ALICE, expiration_ns=NOW)).call("ws_open", b""))

    def test_a_delegation_for_other_canisters_is_refused(self) -> None:
        refusal = refused(requests(delegated(ALICE, targets=[OTHER])).call("ws_open", b""))
        assert refusal.text == f"Canister '{CANISTER}' is not one of the delegation targets."

    def test_a_delegation_for_other_canisters_may_read_the_time(self) -> None:
        admitted(requests(delegated(ALICE, targets=[OTHER])).read_state([(b"time",)]), "read_state")

    def test_a_delegation_signed_by_another_key_is_refused(self) -> None:
        link = delegated(Ed25519Identity.generate()).delegations
        forged = DelegatedIdentity(Ed25519Identity.from_secret(b"s" * 32), ALICE.public_key_der, link)
        assert refused(requests(forged).call("ws_open", b"")).text.startswith("Invalid delegation: ")

    def test_without_authentication_no_signature_is_needed(self) -> None:
        envelope = Envelope.decode(requests().read_state([(b"time",)], expiry_ns=0))
        body = Envelope(envelope.content).encode()
        admit(body, "read_state", CANISTER, NOW, root_key=ROOT_KEY, authenticate=False)


class TestMalformed:
    @pytest.mark.parametrize(
        "body",
        [b"", b"\xff", dumps({}), dumps([1]), dumps({"content": {}}), dumps({"content": {"request_type": "call"}})],
    )
    def test_an_invalid_envelope_is_refused(self, body: bytes) -> None:
        refusal = refused(body)
        assert (refusal.status, refusal.text.startswith("Malformed request")) == (400, True)

    @pytest.mark.parametrize(
        "changes",
        [
            {"request_type": "query"},
            {"arg": "text"},
            {"method_name": b"bytes"},
            {"canister_id": bytes(30)},
            {"sender": bytes(30)},
            {"ingress_expiry": -1},
            {"ingress_expiry": True},
            {"nonce": "text"},
        ],
    )
    def test_fields_of_a_wrong_type_are_refused(self, changes: dict[str, Any]) -> None:
        assert refused(altered(requests().call("ws_open", b""), **changes)).status == 400

    @pytest.mark.parametrize("paths", [[b"time"], [["time"]], [[]], [[1]], "time"])
    def test_paths_of_a_wrong_type_are_refused(self, paths: Any) -> None:
        assert refused(altered(requests().read_state([(b"time",)]), paths=paths), "read_state").status == 400

    def test_unknown_fields_are_dropped_before_the_id_is_computed(self) -> None:
        body = requests().call("ws_open", b"")
        request = admitted(altered(body, colour="blue"))
        assert request.request_id == Envelope.decode(body).request_id

    def test_a_canister_that_is_not_in_the_url_is_refused(self) -> None:
        refusal = refused(requests(canister_id=OTHER).call("ws_open", b""))
        assert refusal.text == f"Specified CanisterId {OTHER} does not match effective canister id in URL {CANISTER}"

    def test_a_nonce_of_more_than_32_bytes_is_refused(self) -> None:
        admitted(requests().call("ws_open", b"", nonce=bytes(32)))
        assert refused(requests().call("ws_open", b"", nonce=bytes(33))).text == (
            "Nonce in request is too big: got 33 bytes, but at most 32 are allowed."
        )

    def test_more_than_two_megabytes_are_refused(self) -> None:
        small = requests().call("ws_message", b"", nonce=b"n")
        fits = bytes(MAX_INGRESS_BYTES - len(small) - 4)  # a long CBOR string needs four more bytes for its length
        admitted(requests().call("ws_message", fits, nonce=b"n"))
        assert refused(requests().call("ws_message", fits + b"x", nonce=b"n")).status == 413


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(
    ["request_type", "nonce", "ingress_expiry", "sender", "canister_id", "method_name", "arg", "paths", "other"]
)


class TestHostile:
    """Any wrong body is refused; nothing else is raised."""

    @given(st.binary(max_size=200))
    def test_random_bytes(self, body: bytes) -> None:
        refused(body)

    @given(st.sampled_from(["call", "query", "read_state"]), st.dictionaries(NAMES, JUNK, max_size=4))
    def test_random_fields(self, kind: str, changes: dict[str, Any]) -> None:
        bodies = {
            "call": requests().call("ws_open", b"", nonce=b"n"),
            "query": requests().query("ws_get_messages", b""),
            "read_state": requests().read_state([(b"time",)]),
        }
        body = altered(bodies[kind], **changes)
        if Envelope.decode(body).relayed() != Envelope.decode(bodies[kind]).relayed():
            refused(body, kind)


class TestFormatTime:
    """The expected texts are quoted in icp-js-core's tests for syncTime."""

    @pytest.mark.parametrize(
        ("time_ns", "text"),
        [
            (1746143718005285297, "2025-05-01 23:55:18.005285297 UTC"),
            (1746103080000000000, "2025-05-01 12:38:00 UTC"),
            (1746103080393000000, "2025-05-01 12:38:00.393 UTC"),
            (1746103080393200000, "2025-05-01 12:38:00.393200 UTC"),
            (0, "1970-01-01 00:00:00 UTC"),
            (2**64 - 1, "2554-07-21 23:34:33.709551615 UTC"),
        ],
    )
    def test_prints_groups_of_three_decimals(self, time_ns: int, text: str) -> None:
        assert format_time(time_ns) == text


class TestRejects:
    def test_have_the_codes_of_the_interface_specification(self) -> None:
        rejects = [canister_not_found(CANISTER), canister_stopped(CANISTER), no_management_method("create_canister")]
        assert [(reject.code, reject.error_code) for reject in rejects] == [
            (3, "IC0301"),
            (5, "IC0508"),
            (5, "IC0536"),
        ]
        assert rejects[0].text == "Canister bnz7o-iuaaa-aaaaa-qaaaa-cai not found"
