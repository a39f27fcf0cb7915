from __future__ import annotations

from typing import Any

import pytest

from icws_explore.protocol.errors import ArgumentTypeError, ArgumentValueError, IdentityError
from icws_explore.protocol.keys import DelegatedIdentity, Ed25519Identity, Secp256k1Identity, delegate, delegate_to
from icws_explore.protocol.keys.delegation import MAX_LINKS, DelegationChain
from icws_explore.protocol.keys.public_keys import verify_signature
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


class TestVectors:
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


class TestDelegation:
    def test_signs_for_the_root(self) -> None:
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

    def test_the_session_key_must_be_the_delegated_key(self) -> None:
        with pytest.raises(IdentityError, match="session key of the same log-in"):
            DelegatedIdentity(Ed25519Identity.generate(), ED25519.public_key_der, DELEGATED.delegations)

    def test_there_must_be_a_link(self) -> None:
        with pytest.raises(IdentityError, match="at least one delegation"):
            DelegatedIdentity(SECP256K1, ED25519.public_key_der, [])

    def test_a_delegated_session_is_refused(self) -> None:
        with pytest.raises(IdentityError, match="one chain"):
            DelegatedIdentity(DELEGATED, ED25519.public_key_der, DELEGATED.delegations)

    def test_the_length_of_chains_is_limited(self) -> None:
        with pytest.raises(IdentityError, match=f"at most {MAX_LINKS}"):
            DelegatedIdentity(SECP256K1, ED25519.public_key_der, DELEGATED.delegations * (MAX_LINKS + 1))

    @pytest.mark.parametrize(
        ("expiration_ns", "error"),
        [(-1, ArgumentValueError), (2**64, ArgumentValueError), (1.5, ArgumentTypeError), (True, ArgumentTypeError)],
    )
    def test_an_expiration_must_be_nanoseconds(self, expiration_ns: Any, error: type[Exception]) -> None:
        with pytest.raises(error, match="nanoseconds"):
            delegate(ED25519, SECP256K1.public_key_der, expiration_ns=expiration_ns)

    def test_targets_are_limited(self) -> None:
        with pytest.raises(ArgumentValueError, match="1001 targets"):
            delegate(ED25519, SECP256K1.public_key_der, expiration_ns=0, targets=[CANISTER] * 1001)

    def test_an_empty_list_of_targets_allows_no_canister(self) -> None:
        nobody = delegate(ED25519, SECP256K1.public_key_der, expiration_ns=0, targets=[])
        everybody = delegate(ED25519, SECP256K1.public_key_der, expiration_ns=0)
        assert nobody.delegation.targets == ()
        assert nobody.delegation.hash != everybody.delegation.hash
