"""Canister signatures: how Internet Identity signs, without any secret key.

Source: interface specification, "Canister signatures". The canister puts the message's hash into its
certified data under sig/<hash of the seed>/<hash of the message>; the signature is a certificate of
that data and a witness for the path.
"""

from __future__ import annotations

from hashlib import sha256

from ..cbor import loads
from ..certificate import Certificate, check_certificate
from ..errors import DecodeError
from ..fields import as_map, field
from ..hashtree import Found, HashTree, from_cbor, lookup_value
from ..hashtree import paths as lookup
from ..principal import Principal
from ..steps import Step, first_failure
from ..verdict import Verdict

_WHAT = "canister signature"


def signing_canister(raw_key: bytes) -> tuple[Principal, bytes]:
    """The canister that signs and the seed of the key, out of the key's bits. Raises DecodeError."""
    size = raw_key[0] if raw_key else 0
    if not raw_key or len(raw_key) < 1 + size:
        raise DecodeError("canister signature key", "ends inside the canister's principal")
    return Principal(raw_key[1 : 1 + size]), raw_key[1 + size :]


def verify_canister_signature(raw_key: bytes, message: bytes, signature: bytes, root_key: bytes | None) -> Verdict:
    """Whether the canister of that key certified ``message``; never raises.

    Everything but the certificate's own signature is checked without ``root_key`` (DER); if all of
    that holds and there is no root key, the verdict's ``ok`` is None. The certificate's age does
    not count: a canister signature is good until the delegation in it expires.
    """
    try:
        canister, seed = signing_canister(raw_key)
        fields = as_map(loads(signature, what=_WHAT), _WHAT)
        certificate = field(fields, "certificate", bytes, _WHAT)
        tree = from_cbor(fields.get("tree"))
        fault = _fault(canister, seed, message, tree, Certificate.decode(certificate))
    except DecodeError as error:
        return Verdict(False, str(error))
    if fault is not None:
        return Verdict(False, fault)
    if root_key is None:
        return Verdict(None, f"signed by canister {canister}; judging it needs the network's root key")
    failed = first_failure(_timeless(certificate, canister, root_key))
    if failed is not None:
        return Verdict(False, f"the signature's certificate does not hold: {failed.step}: {failed.detail}")
    return Verdict(True, f"the signature of canister {canister} holds")


def _fault(canister: Principal, seed: bytes, message: bytes, tree: HashTree, certificate: Certificate) -> str | None:
    path = (b"sig", sha256(seed).digest(), sha256(message).digest())
    if not isinstance(lookup(tree, path), Found):
        return f"canister {canister} signed another message: the witness does not hold this one"
    certified = lookup_value(certificate.tree, (b"canister", canister.raw, b"certified_data"))
    if certified is None:
        return f"the certificate holds no certified data of canister {canister}"
    if certified != tree.digest:
        return f"the certified data of canister {canister} is not the root hash of the witness"
    return None


def _timeless(certificate: bytes, canister: Principal, root_key: bytes) -> list[Step]:
    _decoded, steps = check_certificate(certificate, canister_id=canister, root_key=root_key, now_ns=0)
    return [step for step in steps if step.step != "time"]
