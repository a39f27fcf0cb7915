"""A certificate: a part of the state tree, a signature on its root hash, and a delegation to the signer.

Source: interface specification, "Certificate" and "Encoding of certificates": CBOR
``{tree, signature: bstr(48), delegation?: {subnet_id, certificate}}``, tagged or not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from .. import cbor, hashtree, leb128
from ..constants import MAINNET_ROOT_KEY
from ..errors import DecodeError, MessageError
from ..hashtree import HashTree
from ..hashtree.codec import leaf_under
from ..keys import bls
from ..principal import MAX_LENGTH, Principal
from ..wording import hash_text

STATE_ROOT: Final = b"\x0dic-state-root"  # domain separator of what is signed
TIME_PATH: Final = (b"time",)
_WHAT: Final = "certificate"
_PLAIN: Final = cbor.Shape(tree=list, signature=bytes)
_PLAIN_DELEGATION: Final = cbor.Shape(subnet_id=bytes, certificate=bytes)
_NAMES: Final[dict[type, str]] = {bytes: "a byte string", dict: "a map"}


@dataclass(frozen=True, slots=True)
class Delegation:
    """Names the subnet whose key signed. ``certificate`` (encoded) is the root key's certificate of that key."""

    subnet_id: Principal
    certificate: bytes


@dataclass(frozen=True, slots=True)
class Certificate:
    """``raw`` is the CBOR that it was decoded from; empty for a certificate that was made here."""

    tree: HashTree
    signature: bytes
    delegation: Delegation | None = None
    raw: bytes = field(default=b"", repr=False, compare=False)

    @classmethod
    def decode(cls, data: bytes) -> Certificate:
        """Read a certificate from CBOR. Unknown fields are ignored, as agents do.

        Raises CborError, MessageError and PrincipalError.
        """
        fields = cbor.loads(data, what=_WHAT, max_size=hashtree.MAX_SIZE)
        if not isinstance(fields, dict):
            raise MessageError(_WHAT, f"a map is expected, not {type(fields).__name__}")
        if "tree" not in fields:
            raise MessageError(_WHAT, "has no tree")
        tree = hashtree.from_cbor(fields["tree"], what=f"{_WHAT} tree")
        signature = _field(fields, "signature", bytes, _WHAT)
        delegation = None
        if "delegation" in fields:
            what = f"{_WHAT} delegation"
            inner = _field(fields, "delegation", dict, _WHAT)
            subnet_id = Principal(_field(inner, "subnet_id", bytes, what))
            delegation = Delegation(subnet_id, _field(inner, "certificate", bytes, what))
        return cls(tree, signature, delegation, data)

    def encode(self) -> bytes:
        """The certificate as CBOR with the self-describe tag, as replicas write it."""
        fields: dict[str, Any] = {"tree": hashtree.to_cbor(self.tree), "signature": self.signature}
        if self.delegation is not None:
            fields["delegation"] = {
                "subnet_id": self.delegation.subnet_id.raw,
                "certificate": self.delegation.certificate,
            }
        return cbor.dumps(fields, tagged=True)

    @property
    def time_ns(self) -> int | None:
        """When the state was certified, in ns since the epoch; None if the tree shows no valid time."""
        value = hashtree.lookup_value(self.tree, TIME_PATH)
        return None if value is None else _number(value)

    @property
    def signed_bytes(self) -> bytes:
        """What is signed: the domain separator and the root hash of the tree."""
        return STATE_ROOT + hashtree.root_hash(self.tree)

    def canister_data(self, canister_id: Principal) -> hashtree.LookupResult:
        """Look up the certified data of a canister."""
        return hashtree.lookup(self.tree, (b"canister", canister_id.raw, b"certified_data"))


def time_ns_of(data: bytes) -> int | None:
    """`Certificate.decode` and its ``time_ns``, in half the time: it makes no tree. Raises the same errors."""
    fields = cbor.loads(data, what=_WHAT, max_size=hashtree.MAX_SIZE)
    plain = _PLAIN.values(fields)
    if plain is None or not _has_plain_delegation(fields):
        return Certificate.decode(data).time_ns
    value = leaf_under(plain[0], TIME_PATH[0])
    return Certificate.decode(data).time_ns if value is None else _number(value)


def _has_plain_delegation(fields: Mapping[Any, Any]) -> bool:
    """Whether the fields of a certificate have a delegation without a fault, or none."""
    if "delegation" not in fields:
        return True
    plain = _PLAIN_DELEGATION.values(fields["delegation"])
    return plain is not None and len(plain[0]) <= MAX_LENGTH


def _number(value: bytes) -> int | None:
    try:
        return leb128.decode_unsigned(value)
    except DecodeError:
        return None


def _field(fields: Mapping[Any, Any], name: str, kind: type, what: str) -> Any:
    if name not in fields:
        raise MessageError(what, f"has no {name}")
    value = fields[name]
    if type(value) is not kind:
        raise MessageError(what, f"{name} is {type(value).__name__}, not {_NAMES[kind]}")
    return value


def key_text(der: bytes) -> str:
    """A BLS key as ``814c0e6e…aaae``, with "(mainnet's)" for mainnet's root key."""
    body = der.removeprefix(bls.DER_PREFIX)
    return hash_text(body) + (" (mainnet's)" if der == MAINNET_ROOT_KEY else "")


_CACHED: Final = 64  # entries of about 300 bytes, whatever the size of the certificate
_MISFIT: Final = "the tree or the signature was altered, or the key is another network's"


def signature_fault(certificate: Certificate, key: bytes) -> str | None:
    """Why the signature is not valid under ``key`` (DER), None if it is.

    The result is cached: the messages of one poll share a certificate, and a check costs two pairings.
    """
    return _fault(certificate.signed_bytes, certificate.signature, bytes(key))


def _fault(message: bytes, signature: bytes, key: bytes) -> str | None:
    try:
        public_key = bls.key_from_der(key)
    except DecodeError as error:
        return f"the key to check with cannot be used: {error}"
    fault = bls.fault(public_key, signature)
    if fault is not None:
        return fault
    return None if _verified(public_key, message, signature) else _MISFIT


@lru_cache(maxsize=_CACHED)
def _verified(public_key: bytes, message: bytes, signature: bytes) -> bool:
    return bls.verify(public_key, message, signature)
