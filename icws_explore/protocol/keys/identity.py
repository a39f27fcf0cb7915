"""What every identity is: a principal, a public key and a way to sign.

Source: interface specification, "Authentication". No identity shows its secret: not in repr or str,
not in an exception, not in a pickle.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NoReturn

from ..errors import IdentityError
from ..principal import Principal
from .delegation import SignedDelegation


class Identity(ABC):
    """Signs on behalf of one principal."""

    __slots__ = ()

    @property
    @abstractmethod
    def public_key_der(self) -> bytes:
        """The key that the principal stands for, DER; empty for the anonymous identity."""

    @abstractmethod
    def sign(self, message: bytes) -> bytes:
        """The signature over ``message``, which is domain separator and hash. Raises IdentityError."""

    @property
    def principal(self) -> Principal:
        return Principal.self_authenticating(self.public_key_der)

    @property
    def delegations(self) -> tuple[SignedDelegation, ...]:
        """The links from the public key to the key that signs; empty without delegation."""
        return ()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.principal})"

    __str__ = __repr__

    def __copy__(self) -> Identity:
        return self

    def __deepcopy__(self, _memo: object) -> Identity:
        return self

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        raise IdentityError("an identity is not pickled, because that would write its secret key somewhere")


class AnonymousIdentity(Identity):
    """Nobody: requests go unsigned. The CDK refuses it (ws_open: "Anonymous principal is not allowed")."""

    __slots__ = ()

    @property
    def public_key_der(self) -> bytes:
        return b""

    @property
    def principal(self) -> Principal:
        return Principal.ANONYMOUS

    def sign(self, message: bytes) -> bytes:
        del message
        raise IdentityError("the anonymous identity has no key; use Ed25519Identity.generate() or load_identity(file)")

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self)

    def __hash__(self) -> int:
        return hash(type(self))
