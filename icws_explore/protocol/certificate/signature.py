"""Whether a key signed a certificate's root hash."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from ..errors import DecodeError
from ..keys import bls
from .format import Certificate

_CACHED: Final = 64  # each entry is some 300 bytes, whatever the size of the certificate
_MISFIT: Final = "the tree or the signature was altered, or the key is another network's"


def signature_fault(certificate: Certificate, key: bytes) -> str | None:
    """Why the signature is not that of ``key`` (DER), None if it is.

    Cached: the messages of one poll share a certificate, and a verification is two pairings.
    """
    return _fault(certificate.signed_bytes, certificate.signature, bytes(key))


def _fault(message: bytes, signature: bytes, key: bytes) -> str | None:
    try:
        public_key = bls.key_from_der(key)
    except DecodeError as error:
        return f"the key to check with is unusable: {error}"
    fault = bls.fault(public_key, signature)
    if fault is not None:
        return fault
    return None if _verified(public_key, message, signature) else _MISFIT


@lru_cache(maxsize=_CACHED)
def _verified(public_key: bytes, message: bytes, signature: bytes) -> bool:
    return bls.verify(public_key, message, signature)
