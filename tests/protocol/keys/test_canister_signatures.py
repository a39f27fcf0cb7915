from __future__ import annotations

from dataclasses import replace
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.protocol.certificate import CertificateIssuer
from icws_explore.protocol.errors import DecodeError
from icws_explore.protocol.keys.public_keys import parse_public_key, signing_canister, verify_signature
from icws_explore.protocol.principal import Principal
from support.identity_cases import CANISTER, DAY_NS, NOW_NS, OTHER_CANISTER, InternetIdentity

II = InternetIdentity()
MESSAGE = b"\x1aic-request-auth-delegation" + bytes(32)
SIGNATURE = II.sign(MESSAGE)


def changed(**changes: Any) -> bytes:
    """The signature with other fields; None leaves one out."""
    fields = cbor2.loads(SIGNATURE[3:]) | changes
    return cbor2.dumps({name: value for name, value in fields.items() if value is not None})


class TestHolds:
    def test_under_the_root_key(self) -> None:
        verdict = verify_signature(II.public_key_der, MESSAGE, SIGNATURE, root_key=II.root_key)
        assert verdict == (True, f"the signature of canister {OTHER_CANISTER} holds")

    @pytest.mark.parametrize("layout", ["classic", "sharded"])
    def test_under_a_subnets_key(self, layout: Any) -> None:
        issuer = CertificateIssuer(b"root", b"subnet", [(Principal(bytes(10)), Principal(b"\xff" * 10))], layout)
        identity = InternetIdentity(issuer)
        signature = identity.sign(MESSAGE)
        assert verify_signature(identity.public_key_der, MESSAGE, signature, root_key=identity.root_key).ok is True

    def test_however_old_the_certificate_is(self) -> None:
        old = II.sign(MESSAGE, time_ns=NOW_NS - 30 * DAY_NS)
        assert verify_signature(II.public_key_der, MESSAGE, old, root_key=II.root_key).ok is True

    def test_the_key_names_canister_and_seed(self) -> None:
        assert signing_canister(parse_public_key(II.public_key_der).raw) == (OTHER_CANISTER, II.seed)


class TestWithoutTheRootKey:
    def test_nobody_can_tell(self) -> None:
        verdict = verify_signature(II.public_key_der, MESSAGE, SIGNATURE)
        assert verdict.ok is None
        assert "needs the network's root key" in verdict.detail

    def test_what_shows_all_the_same_is_said(self) -> None:
        assert verify_signature(II.public_key_der, b"another message", SIGNATURE).ok is False


class TestDoesNotHold:
    def test_under_another_root_key(self) -> None:
        other = CertificateIssuer(b"another root").root_key_der
        verdict = verify_signature(II.public_key_der, MESSAGE, SIGNATURE, root_key=other)
        assert verdict.ok is False
        assert "certificate does not hold: signature" in verdict.detail

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
        assert "certificate does not hold: delegation" in verdict.detail

    def test_with_the_witness_of_another_certificate(self) -> None:
        other = cbor2.loads(II.sign(b"another message")[3:])
        verdict = verify_signature(
            II.public_key_der, MESSAGE, changed(certificate=other["certificate"]), root_key=II.root_key
        )
        assert verdict.ok is False
        assert "not the root hash of the witness" in verdict.detail

    @pytest.mark.parametrize(
        ("signature", "fault"),
        [
            (b"", "canister signature"),
            (changed(certificate=None), "'certificate' is missing"),
            (changed(certificate=b"\xa0"), "certificate"),
            (changed(tree=None), "tree"),
            (changed(tree=[0]), "signed another message"),
            (changed(tree=[4, bytes(32)]), "signed another message"),
            (changed(tree=[9]), "a node starts with"),
        ],
    )
    def test_if_it_is_malformed(self, signature: bytes, fault: str) -> None:
        verdict = verify_signature(II.public_key_der, MESSAGE, signature, root_key=II.root_key)
        assert verdict.ok is False
        assert fault in verdict.detail

    @pytest.mark.parametrize("raw", [b"", b"\x0a\x00", b"\x1e" + bytes(30)])
    def test_if_the_key_is(self, raw: bytes) -> None:
        with pytest.raises(DecodeError):
            signing_canister(raw)

    @given(st.integers(0, len(SIGNATURE)), st.binary(max_size=40))
    def test_and_nothing_is_raised(self, kept: int, tail: bytes) -> None:
        verdict = verify_signature(II.public_key_der, b"another message", SIGNATURE[:kept] + tail, root_key=II.root_key)
        assert verdict.ok is False
