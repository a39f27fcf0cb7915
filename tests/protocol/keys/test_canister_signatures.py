from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.protocol import leb128
from icws_explore.protocol.certificate import CertificateIssuer
from icws_explore.protocol.errors import DecodeError
from icws_explore.protocol.hashtree import Fork, Labeled, Leaf, build
from icws_explore.protocol.keys.public_keys import parse_public_key, signing_canister, verify_signature
from icws_explore.protocol.principal import Principal
from support.identity_cases import CANISTER, DAY_NS, NOW_NS, OTHER_CANISTER, InternetIdentity

II = InternetIdentity()
MESSAGE = b"\x1aic-request-auth-delegation" + bytes(32)
SIGNATURE = II.sign(MESSAGE)


def changed(**changes: Any) -> bytes:
    """The signature with other fields; None leaves one out."""
    fields = cbor2.loads(SIGNATURE[3:]) | changes
    return b"\xd9\xd9\xf7" + cbor2.dumps({name: value for name, value in fields.items() if value is not None})


class TestValid:
    def test_under_the_root_key(self) -> None:
        verdict = verify_signature(II.public_key_der, MESSAGE, SIGNATURE, root_key=II.root_key)
        assert verdict == (True, f"the signature of canister {OTHER_CANISTER} is valid")

    @pytest.mark.parametrize("layout", ["classic", "sharded"])
    def test_under_a_subnets_key(self, layout: Any) -> None:
        issuer = CertificateIssuer(b"root", b"subnet", [(Principal(bytes(10)), Principal(b"\xff" * 10))], layout)
        identity = InternetIdentity(issuer)
        signature = identity.sign(MESSAGE)
        assert verify_signature(identity.public_key_der, MESSAGE, signature, root_key=identity.root_key).ok is True

    def test_at_every_age_of_the_certificate(self) -> None:
        old = II.sign(MESSAGE, time_ns=NOW_NS - 30 * DAY_NS)
        assert verify_signature(II.public_key_der, MESSAGE, old, root_key=II.root_key).ok is True

    def test_the_key_contains_canister_and_seed(self) -> None:
        assert signing_canister(parse_public_key(II.public_key_der).raw) == (OTHER_CANISTER, II.seed)


class TestWithoutTheRootKey:
    def test_is_not_checked(self) -> None:
        verdict = verify_signature(II.public_key_der, MESSAGE, SIGNATURE)
        assert verdict.ok is None
        assert "the network's root key is needed" in verdict.detail

    def test_other_faults_are_found(self) -> None:
        assert verify_signature(II.public_key_der, b"another message", SIGNATURE).ok is False


class TestNotValid:
    def test_under_another_root_key(self) -> None:
        other = CertificateIssuer(b"another root").root_key_der
        verdict = verify_signature(II.public_key_der, MESSAGE, SIGNATURE, root_key=other)
        assert verdict.ok is False
        assert "certificate of the signature is not valid: signature" in verdict.detail

    @pytest.mark.parametrize(
        ("identity", "fault"),
        [
            (replace(II, seed=b"another user"), "signed another message"),
            (replace(II, canister_id=CANISTER), f"no certified data of canister {CANISTER}"),
        ],
    )
    def test_for_another_key(self, identity: InternetIdentity, fault: str) -> None:
        verdict = verify_signature(identity.public_key_der, MESSAGE, SIGNATURE, root_key=II.root_key)
        assert verdict.ok is False
        assert fault in verdict.detail

    def test_outside_the_subnets_ranges(self) -> None:
        ranges = [(Principal(b"\xf0" * 10), Principal(b"\xff" * 10))]
        identity = InternetIdentity(CertificateIssuer(b"root", b"subnet", ranges, "classic"))
        verdict = verify_signature(identity.public_key_der, MESSAGE, identity.sign(MESSAGE), root_key=identity.root_key)
        assert verdict.ok is False
        assert "certificate of the signature is not valid: delegation" in verdict.detail

    def test_with_the_witness_of_another_certificate(self) -> None:
        other = cbor2.loads(II.sign(b"another message")[3:])
        verdict = verify_signature(
            II.public_key_der, MESSAGE, changed(certificate=other["certificate"]), root_key=II.root_key
        )
        assert verdict.ok is False
        assert "not the root hash of the witness" in verdict.detail

    def test_with_a_value_at_the_leaf(self) -> None:
        """Interface specification, "Canister signatures": the lookup must find the empty blob."""
        signature = II.sign(MESSAGE, leaf=b"x")
        verdict = verify_signature(II.public_key_der, MESSAGE, signature, root_key=II.root_key)
        assert verdict == (False, "the leaf of the message holds 1 byte; it must be empty")

    def test_with_labels_that_are_not_in_order(self) -> None:
        """Interface specification, "Canister signatures": the tree must be well-formed."""
        path = build({b"sig": {sha256(II.seed).digest(): {sha256(MESSAGE).digest(): b""}}})
        witness = Fork(path, Labeled(b"a", Leaf(b"")))
        verdict = verify_signature(II.public_key_der, MESSAGE, II.certified(witness), root_key=II.root_key)
        assert verdict == (False, "the labels of the signature's witness are not in ascending order")

    @pytest.mark.parametrize("root_key", [None, II.root_key])
    def test_with_a_certificate_that_is_not_in_order(self, root_key: bytes | None) -> None:
        time = Labeled(b"time", Leaf(leb128.encode_unsigned(NOW_NS)))
        certificate = II.issuer.certify(Fork(time, Labeled(b"canister", Leaf(b""))))
        verdict = verify_signature(II.public_key_der, MESSAGE, changed(certificate=certificate), root_key=root_key)
        assert verdict == (False, "the labels of the certificate's tree are not in ascending order")

    @pytest.mark.parametrize(
        ("signature", "fault"),
        [
            (b"", "canister signature"),
            (SIGNATURE[3:], "does not begin with the self-describe tag"),
            (changed(certificate=None), "'certificate' is missing"),
            (changed(certificate=b"\xa0"), "certificate"),
            (changed(tree=None), "tree"),
            (changed(tree=[0]), "signed another message"),
            (changed(tree=[4, bytes(32)]), "signed another message"),
            (changed(tree=[9]), "a node starts with"),
        ],
    )
    def test_if_the_signature_is_malformed(self, signature: bytes, fault: str) -> None:
        verdict = verify_signature(II.public_key_der, MESSAGE, signature, root_key=II.root_key)
        assert verdict.ok is False
        assert fault in verdict.detail

    @pytest.mark.parametrize("raw", [b"", b"\x0a\x00", b"\x1e" + bytes(30)])
    def test_if_the_key_is_malformed(self, raw: bytes) -> None:
        with pytest.raises(DecodeError):
            signing_canister(raw)

    @given(st.integers(0, len(SIGNATURE)), st.binary(max_size=40))
    def test_nothing_is_raised(self, kept: int, tail: bytes) -> None:
        verdict = verify_signature(II.public_key_der, b"another message", SIGNATURE[:kept] + tail, root_key=II.root_key)
        assert verdict.ok is False
