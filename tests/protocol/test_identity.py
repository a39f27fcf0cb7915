from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.protocol.delegation import MAX_LINKS, DelegationChain
from icws_explore.protocol.errors import IdentityError
from icws_explore.protocol.identity import (
    AnonymousIdentity,
    DelegatedIdentity,
    Ed25519Identity,
    Identity,
    Secp256k1Identity,
    delegate,
    delegate_to,
)
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.public_keys import verify_signature
from support.identity_cases import (
    CANISTER,
    DAY_NS,
    ED25519_SECRET,
    NOW_NS,
    OTHER_CANISTER,
    SECP256K1_SECRET,
    identity_of_vector,
)

ED25519 = Ed25519Identity.from_secret(ED25519_SECRET)
SECP256K1 = Secp256k1Identity.from_secret(SECP256K1_SECRET)
DELEGATED = delegate_to(ED25519, SECP256K1, expiration_ns=NOW_NS)
HALF_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141 // 2


class OwnIdentity(Ed25519Identity):
    """What a user might derive."""


class TestVectors:
    def test_principals_keys_and_signatures_are_those_of_the_sdk(self, vectors: Any) -> None:
        for vector in vectors("calls")["vectors"]:
            identity = identity_of_vector(vector)
            assert identity.principal.text == vector["identity"]["sender_principal"]
            assert identity.public_key_der.hex() == vector["sender_pubkey_hex"]
            assert identity.sign(bytes.fromhex(vector["signed_bytes_hex"])).hex() == vector["sender_sig_hex"]

    def test_delegations_are_those_of_the_sdk(self, vectors: Any) -> None:
        seen = 0
        for vector in vectors("calls")["vectors"]:
            links = identity_of_vector(vector).delegations
            for link, expected in zip(links, vector.get("sender_delegation", ()), strict=True):
                assert link.delegation.hash.hex() == expected["delegation_hash_hex"]
                assert link.delegation.signed_bytes.hex() == expected["signed_bytes_hex"]
                assert link.signature.hex() == expected["signature_hex"]
                seen += 1
        assert seen == 4

    def test_rfc_8032(self) -> None:
        assert ED25519.public_key_der[12:].hex() == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
        assert ED25519.sign(b"").hex().startswith("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155")


class TestSignatures:
    @pytest.mark.parametrize("identity", [ED25519, SECP256K1, Ed25519Identity.generate(), Secp256k1Identity.generate()])
    def test_hold_under_the_public_key(self, identity: Identity) -> None:
        assert verify_signature(identity.public_key_der, b"message", identity.sign(b"message")).ok is True
        assert verify_signature(identity.public_key_der, b"another", identity.sign(b"message")).ok is False

    @given(st.binary(max_size=100))
    def test_secp256k1_is_deterministic_with_low_s(self, message: bytes) -> None:
        signature = SECP256K1.sign(message)
        assert len(signature) == 64
        assert signature == SECP256K1.sign(message)
        assert int.from_bytes(signature[32:], "big") <= HALF_ORDER

    def test_generated_keys_differ(self) -> None:
        assert Ed25519Identity.generate() != Ed25519Identity.generate()
        assert Secp256k1Identity.generate() != Secp256k1Identity.generate()


class TestSecrets:
    @pytest.mark.parametrize("kind", [Ed25519Identity, Secp256k1Identity])
    @pytest.mark.parametrize("secret", [b"", bytes(31), b"\x01" * 33])
    def test_have_32_bytes(self, kind: Any, secret: bytes) -> None:
        with pytest.raises(IdentityError, match=f"32 bytes, not {len(secret)}"):
            kind.from_secret(secret)

    def test_are_bytes(self) -> None:
        with pytest.raises(IdentityError, match="not str"):
            Ed25519Identity.from_secret("9d" * 32)  # type: ignore[arg-type]  # the misuse under test

    @pytest.mark.parametrize("secret", [bytes(32), b"\xff" * 32])
    def test_of_secp256k1_are_below_the_order(self, secret: bytes) -> None:
        with pytest.raises(IdentityError, match="no secp256k1 key"):
            Secp256k1Identity.from_secret(secret)

    def test_of_another_curve_are_refused(self) -> None:
        with pytest.raises(IdentityError, match="secp256r1"):
            Secp256k1Identity(ec.generate_private_key(ec.SECP256R1()))


class TestNothingShowsASecret:
    IDENTITIES = (
        (ED25519, ED25519_SECRET),
        (SECP256K1, SECP256K1_SECRET),
        (DELEGATED, SECP256K1_SECRET),
        (OwnIdentity.from_secret(ED25519_SECRET), ED25519_SECRET),
    )

    @pytest.mark.parametrize(("identity", "secret"), IDENTITIES)
    def test_in_any_text(self, identity: Identity, secret: bytes) -> None:
        texts = [repr(identity), str(identity), f"{identity}", "%s" % [identity], repr({"key": identity})]
        assert f"({identity.principal})" in texts[0]
        for text in texts:
            assert secret.hex() not in text.lower()
            assert repr(secret)[2:-1] not in text

    @pytest.mark.parametrize(("identity", "_secret"), IDENTITIES)
    def test_in_a_pickle(self, identity: Identity, _secret: bytes) -> None:
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            with pytest.raises(IdentityError, match="not pickled"):
                pickle.dumps(identity, protocol)

    @pytest.mark.parametrize(("identity", "_secret"), IDENTITIES)
    def test_in_a_copy(self, identity: Identity, _secret: bytes) -> None:
        assert copy.copy(identity) is identity
        assert copy.deepcopy({"key": identity})["key"] is identity

    @pytest.mark.parametrize("kind", [Ed25519Identity, Secp256k1Identity])
    def test_in_an_error(self, kind: Any) -> None:
        with pytest.raises(IdentityError) as caught:
            kind.from_secret(ED25519_SECRET + b"\x00")
        assert ED25519_SECRET.hex() not in repr(caught.value)
        assert caught.value.__context__ is None


class TestEquality:
    def test_is_by_key(self) -> None:
        assert Ed25519Identity.from_secret(ED25519_SECRET) == ED25519
        assert hash(ED25519) == hash(Ed25519Identity.from_secret(ED25519_SECRET))
        assert ED25519 != SECP256K1
        assert AnonymousIdentity() == AnonymousIdentity()
        assert len({AnonymousIdentity(), AnonymousIdentity(), ED25519, DELEGATED}) == 3
        assert DelegatedIdentity(SECP256K1, ED25519.public_key_der, DELEGATED.delegations) == DELEGATED


class TestAnonymous:
    def test_has_the_anonymous_principal_and_cannot_sign(self) -> None:
        identity = AnonymousIdentity()
        assert identity.principal == Principal.ANONYMOUS
        assert identity.public_key_der == b""
        assert repr(identity) == "AnonymousIdentity(2vxsx-fae)"
        with pytest.raises(IdentityError, match="generate"):
            identity.sign(b"")


class TestDelegation:
    def test_speaks_for_the_root(self) -> None:
        assert DELEGATED.principal == DELEGATED.chain.principal == ED25519.principal
        assert DELEGATED.public_key_der == ED25519.public_key_der
        assert DELEGATED.session is SECP256K1
        assert DELEGATED.sign(b"m") == SECP256K1.sign(b"m")
        assert DELEGATED.chain == DelegationChain(ED25519.public_key_der, DELEGATED.delegations)

    def test_chains_grow_at_the_end(self) -> None:
        last = Ed25519Identity.generate()
        longer = delegate_to(DELEGATED, last, expiration_ns=NOW_NS + DAY_NS, targets=[CANISTER, OTHER_CANISTER])
        assert longer.principal == ED25519.principal
        assert longer.delegations[:1] == DELEGATED.delegations
        link = longer.delegations[1]
        assert verify_signature(SECP256K1.public_key_der, link.delegation.signed_bytes, link.signature).ok is True
        assert longer.chain.expiration_ns == NOW_NS
        assert longer.chain.targets == frozenset({CANISTER, OTHER_CANISTER})

    def test_the_session_key_has_to_be_the_delegated_one(self) -> None:
        with pytest.raises(IdentityError, match="session key of the same log-in"):
            DelegatedIdentity(Ed25519Identity.generate(), ED25519.public_key_der, DELEGATED.delegations)

    def test_there_has_to_be_a_link(self) -> None:
        with pytest.raises(IdentityError, match="at least one delegation"):
            DelegatedIdentity(SECP256K1, ED25519.public_key_der, [])

    def test_a_delegated_session_is_refused(self) -> None:
        with pytest.raises(IdentityError, match="one chain"):
            DelegatedIdentity(DELEGATED, ED25519.public_key_der, DELEGATED.delegations)

    def test_chains_end_somewhere(self) -> None:
        with pytest.raises(IdentityError, match=f"at most {MAX_LINKS}"):
            DelegatedIdentity(SECP256K1, ED25519.public_key_der, DELEGATED.delegations * (MAX_LINKS + 1))

    @pytest.mark.parametrize("expiration_ns", [-1, 2**64, 1.5, True])
    def test_an_expiration_is_a_u64(self, expiration_ns: Any) -> None:
        with pytest.raises(IdentityError, match="nanoseconds"):
            delegate(ED25519, SECP256K1.public_key_der, expiration_ns=expiration_ns)

    def test_targets_are_limited(self) -> None:
        with pytest.raises(IdentityError, match="1001 targets"):
            delegate(ED25519, SECP256K1.public_key_der, expiration_ns=0, targets=[CANISTER] * 1001)

    def test_no_targets_is_not_an_empty_list_of_them(self) -> None:
        nobody = delegate(ED25519, SECP256K1.public_key_der, expiration_ns=0, targets=[])
        everybody = delegate(ED25519, SECP256K1.public_key_der, expiration_ns=0)
        assert nobody.delegation.targets == ()
        assert nobody.delegation.hash != everybody.delegation.hash
