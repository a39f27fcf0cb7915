"""Identities that speak for another key, and the making of delegations.

Source: interface specification, "Authentication" (sender_delegation); @dfinity/identity 2.4.1
delegation.ts, whose delegations these equal byte for byte.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import IdentityError
from ..fields import MAX_U64
from ..principal import Principal
from .delegation import MAX_LINKS, MAX_TARGETS, Delegation, DelegationChain, SignedDelegation
from .identity import Identity


class DelegatedIdentity(Identity):
    """A session key that speaks for a root key, as after a log-in with Internet Identity.

    Raises IdentityError if the chain does not end at the session's key. Whether the links are
    signed and in time is for check_envelope, as it depends on the time and on the network.
    """

    __slots__ = ("_chain", "_session")

    def __init__(self, session: Identity, root_public_key_der: bytes, delegations: Sequence[SignedDelegation]) -> None:
        links = tuple(delegations)
        if not links:
            raise IdentityError("a delegated identity needs at least one delegation; use the session key itself")
        if len(links) > MAX_LINKS:
            raise IdentityError(f"the chain has {len(links)} delegations; a replica takes at most {MAX_LINKS}")
        if session.delegations:
            raise IdentityError("the session key is itself delegated; join the delegations of both into one chain")
        if links[-1].delegation.pubkey != session.public_key_der:
            delegate_to = Principal.self_authenticating(links[-1].delegation.pubkey)
            raise IdentityError(
                f"the delegation is for the session key of {delegate_to}, but this one is of {session.principal}: "
                "take the session key of the same log-in"
            )
        self._session = session
        self._chain = DelegationChain(root_public_key_der, links)

    @property
    def session(self) -> Identity:
        """The identity that signs."""
        return self._session

    @property
    def chain(self) -> DelegationChain:
        """The chain, which holds nothing secret."""
        return self._chain

    @property
    def public_key_der(self) -> bytes:
        return self._chain.root_public_key_der

    @property
    def delegations(self) -> tuple[SignedDelegation, ...]:
        return self._chain.delegations

    def sign(self, message: bytes) -> bytes:
        return self._session.sign(message)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DelegatedIdentity) and (self._session, self._chain) == (other.session, other.chain)

    def __hash__(self) -> int:
        return hash(self._chain)


def delegate(
    root: Identity,
    session_public_key_der: bytes,
    *,
    expiration_ns: int,
    targets: Sequence[Principal] | None = None,
) -> SignedDelegation:
    """The link by which ``root`` lets another key (DER) speak for it, until ``expiration_ns`` (since the epoch).

    ``root`` may be delegated itself: then this is the next link of its chain. Raises IdentityError.
    """
    if type(expiration_ns) is not int or not 0 <= expiration_ns <= MAX_U64:
        raise IdentityError("expiration_ns is a time in nanoseconds since the epoch, as a 64-bit unsigned integer")
    if targets is not None and len(targets) > MAX_TARGETS:
        raise IdentityError(f"{len(targets)} targets are more than the {MAX_TARGETS} that a replica takes")
    delegation = Delegation(session_public_key_der, expiration_ns, None if targets is None else tuple(targets))
    return SignedDelegation(delegation, root.sign(delegation.signed_bytes))


def delegate_to(
    root: Identity, session: Identity, *, expiration_ns: int, targets: Sequence[Principal] | None = None
) -> DelegatedIdentity:
    """``session``, speaking for ``root`` (and for its root, if that is delegated). Raises IdentityError."""
    link = delegate(root, session.public_key_der, expiration_ns=expiration_ns, targets=targets)
    return DelegatedIdentity(session, root.public_key_der, (*root.delegations, link))
