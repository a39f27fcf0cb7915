"""Loads identities from PEM files, from the JSON of @dfinity/identity, and from ic-py.

Sources: ``dfx identity export`` (PEM); ``toJSON`` of Ed25519KeyIdentity, Secp256k1KeyIdentity and
DelegationChain in @dfinity/identity 2.4.1; the entries "identity" and "delegation" that
@dfinity/auth-client keeps in a browser's storage (Internet Identity); ic-py 1.0.1 identity.py.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from ..budgets import IDENTITY_FILE as MAX_FILE_SIZE
from ..errors import ArgumentTypeError, IdentityError, MessageError
from . import AnonymousIdentity, DelegatedIdentity, Ed25519Identity, Identity, Secp256k1Identity
from .delegation import Delegation, DelegationChain, SignedDelegation
from .pem import ED25519, read_pem
from .public_keys import verify_signature

_MAX_SHOWN = 200  # characters of a file's name in an error
_MAY_BE_KEY = re.compile(r"[0-9A-Za-z+/=]{43}")  # 32 bytes in base64 or hex
_WORDS_OF_A_PHRASE = 8  # a seed phrase has 12 words or more
_FORMS = "an identity is a PEM key, the JSON of Ed25519KeyIdentity, or a delegation chain's JSON with its session key"


def load_identity(source: str | bytes | Path, *, session: object = None) -> Identity:
    """Load an identity from a file's path, or from its text.

    The formats: PEM (Ed25519 in PKCS#8, secp256k1 in PKCS#8 or SEC 1); the JSON ``["public hex",
    "secret hex"]``; a delegation of Internet Identity as ``{"identity": session key, "delegation":
    chain}``, or the chain alone with its session key as ``session`` (an Identity, or a source for
    load_identity). Raises IdentityError, which never shows what was read, and
    ArgumentTypeError.
    """
    text = _text(source)
    if text.lstrip()[:1] not in ("{", "["):
        return _no_session(_from_pem(text), session)
    value = _json(text)
    if isinstance(value, list):
        return _no_session(_from_key_pair(value), session)
    fields = value if isinstance(value, dict) else {}
    if "delegation" in fields and "identity" in fields:
        inner = _no_session(_from_key_pair(_nested(fields["identity"])), session)
        return _delegated(inner, _nested(fields["delegation"]))
    if "delegations" in fields:
        if session is None:
            raise IdentityError(
                "this delegation chain has no session key with it: pass the key's file too, session=FILE, "
                'or join both as {"identity": […], "delegation": {…}}'
            )
        return _delegated(identity_of(session), fields)
    raise IdentityError(f"this JSON contains no identity; {_FORMS}")


def identity_of(value: object) -> Identity:
    """An Identity as it is, an identity of ic-py (or that of its Agent) converted, or a path or text loaded.

    Raises IdentityError, and ArgumentTypeError for anything else.
    """
    if isinstance(value, Identity):
        return value
    if isinstance(value, (str, bytes, Path)):
        return load_identity(value)
    if getattr(value, "anonymous", None) is True:
        return AnonymousIdentity()
    if hasattr(value, "key_type") and isinstance(getattr(value, "privkey", None), str):
        return _from_ic_py_key(value)
    if hasattr(value, "identity") and isinstance(getattr(value, "delegations", None), list):
        return _from_ic_py_delegate(value)
    if hasattr(value, "identity") and hasattr(value, "client"):
        return identity_of(value.identity)  # an Agent of ic-py
    raise ArgumentTypeError(f"{type(value).__name__} is not an identity; {_FORMS}, or an Identity or Agent of ic-py")


def _text(source: str | bytes | Path) -> str:
    if isinstance(source, bytes):
        return source.decode("utf-8", "replace")
    if isinstance(source, str) and ("-----BEGIN" in source or source.lstrip()[:1] in ("{", "[")):
        return source
    if not isinstance(source, (str, Path)):
        raise ArgumentTypeError(f"an identity must be a path or a text, not {type(source).__name__}")
    path = Path(source).expanduser()
    data, fault = b"", ""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_SIZE + 1)
    except (OSError, ValueError) as error:
        fault = getattr(error, "strerror", None) or "this is not a file name"
    if fault:
        shown = "the identity file" if _may_be_secret(str(path)) else repr(str(path))
        raise IdentityError(f"{shown} cannot be read: {fault}; give the path of a PEM or JSON file, or its text")
    if len(data) > MAX_FILE_SIZE:
        raise IdentityError(f"{path} has more than {MAX_FILE_SIZE} bytes; is it the right file?")
    return data.decode("utf-8", "replace")


def _may_be_secret(name: str) -> bool:
    """Whether a file's name might be a pasted key or seed phrase, which must not be shown. Linear in its length."""
    if len(name) > _MAX_SHOWN or "\n" in name or _MAY_BE_KEY.search(name) is not None:
        return True
    return len(name.split(None, _WORDS_OF_A_PHRASE)) > _WORDS_OF_A_PHRASE


def _json(text: str) -> Any:
    value, fault = None, ""
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        fault = f"line {error.lineno}, column {error.colno}: {error.msg}"
    except (RecursionError, ValueError):
        fault = "it is nested too deep, or has a number that is too long"
    # Raised outside of the except block, because the JSON error contains the whole text with its secrets.
    if fault:
        raise IdentityError(f"this is not JSON: {fault}")
    return value


def _nested(value: object) -> Any:
    return _json(value) if isinstance(value, str) else value


def _no_session(identity: Identity, session: object) -> Identity:
    if session is not None:
        raise IdentityError("this identity has its own key; session= is only for a delegation chain")
    return identity


def _from_pem(text: str) -> Identity:
    key = read_pem(text)
    kind = Ed25519Identity if key.algorithm == ED25519 else Secp256k1Identity
    identity = kind.from_secret(key.secret)
    if key.public is not None and len(key.public) in (32, 65) and not identity.public_key_der.endswith(key.public):
        raise IdentityError("the PEM's public key does not match its secret key: export the key again")
    return identity


def _from_key_pair(value: object) -> Identity:
    """The identity of ``[public key hex, secret key hex]``. The public key decides which curve it is."""
    pair = []
    if isinstance(value, list) and len(value) == 2:
        pair = [_from_hex(part) for part in value]
    if len(pair) != 2 or None in pair:
        raise IdentityError('a key pair in JSON is ["public key in hex", "secret key in hex"]')
    public, secret = (part or b"" for part in pair)
    if len(secret) == 64:  # tweetnacl's form: the secret key, then the public key
        secret = secret[:32]
    for kind in (Ed25519Identity, Secp256k1Identity):
        identity = kind.from_secret(secret)
        if public and identity.public_key_der.endswith(public):
            return identity
    raise IdentityError("the public key does not match the secret key; copy both of the same identity")


def _from_hex(text: object) -> bytes | None:
    try:
        return bytes.fromhex(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _delegated(session: Identity, value: object) -> DelegatedIdentity:
    try:
        chain = DelegationChain.from_json(value)
    except MessageError as error:
        raise IdentityError(f"the delegation chain cannot be read: {error.reason}") from error
    return DelegatedIdentity(session, chain.root_public_key_der, chain.delegations)


def _from_ic_py_key(value: Any) -> Identity:
    secret = _from_hex(value.privkey)
    if value.key_type == "ed25519" and secret is not None:
        return Ed25519Identity.from_secret(secret)
    if value.key_type == "secp256k1" and secret is not None:
        return Secp256k1Identity.from_secret(secret)
    raise IdentityError("this identity of ic-py is neither an Ed25519 nor a secp256k1 key")


def _from_ic_py_delegate(value: Any) -> Identity:
    session = identity_of(value.identity)
    links = []
    fault = ""
    try:
        for entry in value.delegations:
            inner = entry["delegation"]
            links.append(SignedDelegation(Delegation(inner["pubkey"], inner["expiration"]), entry["signature"]))
    except (KeyError, TypeError, AttributeError) as error:
        fault = type(error).__name__
    if fault:
        raise IdentityError(f"this delegation of ic-py has another form than in version 1.0.1 ({fault})")
    # ic-py drops the targets of a delegation. Without them the signature does not match.
    signer = value.der_pubkey
    for link in links:
        if verify_signature(signer, link.delegation.signed_bytes, link.signature).ok is False:
            raise IdentityError(
                "a delegation's signature is not valid, most likely because ic-py has dropped its targets: "
                "pass the delegation's JSON to load_identity instead"
            )
        signer = link.delegation.pubkey
    return DelegatedIdentity(session, value.der_pubkey, links)
