from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from icws_explore.protocol.errors import IdentityError
from icws_explore.protocol.keys import (
    AnonymousIdentity,
    DelegatedIdentity,
    Ed25519Identity,
    Identity,
    Secp256k1Identity,
    delegate_to,
)
from icws_explore.protocol.principal import Principal
from support.identity_cases import (
    ED25519_SECRET,
    NOW_NS,
    SECP256K1_SECRET,
)

ED25519 = Ed25519Identity.from_secret(ED25519_SECRET)
SECP256K1 = Secp256k1Identity.from_secret(SECP256K1_SECRET)
DELEGATED = delegate_to(ED25519, SECP256K1, expiration_ns=NOW_NS)


class OwnIdentity(Ed25519Identity):
    """A class that a user derives."""


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
            with pytest.raises(IdentityError, match="cannot be pickled"):
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
