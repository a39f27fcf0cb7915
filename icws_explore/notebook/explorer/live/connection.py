"""What the connection form asks for, checked field by field, and the session that it leads to.

The fields are those of `connect` in the words of a form. Each is checked by the function that `connect` itself uses, so
the advice is the same line. A key or a password passes through here once, to open a session; it is neither stored nor
shown, and no error quotes it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Literal

from icws_explore.live.address import Address
from icws_explore.live.connect import connect
from icws_explore.live.target import MAX_DID_BYTES, is_agent, read_app_type, resolve_identity
from icws_explore.protocol import candid
from icws_explore.protocol.constants import KEEP_ALIVE_TIMEOUT_MS
from icws_explore.protocol.errors import ArgumentValueError, DidError, IcwsError, IdentityError, PrincipalError
from icws_explore.protocol.keys import Identity
from icws_explore.protocol.principal import Principal

FieldName = Literal["gateway", "network", "canister", "did", "ack", "identity"]
IDENTITIES: Final = ("new", "pem", "ii", "variable")
MAX_SECONDS: Final = 10**6

Fields = Mapping[str, Any]


def check(fields: Fields, variables: Mapping[str, Any], *, only_filled: bool = False) -> dict[str, str]:
    """What is wrong with each field, in one line. ``only_filled``: say nothing about fields that are empty.

    ``fields`` are those of the form: "gateway", "network", "canister", "ack" (seconds) are texts; "did" and "identity"
    are dicts, see `app_type_of` and `identity_of_field`. ``variables`` are those of the notebook.
    """
    checks: dict[str, Callable[[], object]] = {
        "gateway": lambda: Address.gateway(_text(fields, "gateway")),
        "network": lambda: Address.network(_text(fields, "network")),
        "canister": lambda: canister_of(_text(fields, "canister")),
        "did": lambda: app_type_of(fields.get("did")),
        "ack": lambda: ack_interval_ms_of(_text(fields, "ack")),
        "identity": lambda: identity_of_field(fields.get("identity"), variables),
    }
    wanted = {
        "gateway": "write the gateway's URL, such as ws://127.0.0.1:8080",
        "network": "write the network's URL, such as http://127.0.0.1:4943 or https://icp-api.io",
        "canister": "write the id of a canister that is built with an IC WebSocket CDK",
    }
    found = {}
    for name, run in checks.items():
        if name in wanted and not _text(fields, name):
            if not only_filled:
                found[name] = wanted[name]
            continue
        try:
            run()
        except IcwsError as error:
            found[name] = str(error)
    return found


def _text(fields: Fields, name: str) -> str:
    return str(fields.get(name) or "").strip()


def canister_of(text: str) -> Principal:
    """The canister's id. Raises PrincipalError or ArgumentValueError."""
    try:
        canister = Principal.from_text(text)
    except PrincipalError as error:
        raise ArgumentValueError(f"this is no canister id: {error.reason}") from None
    if canister in (Principal.MANAGEMENT, Principal.ANONYMOUS):
        raise ArgumentValueError(f"{canister} is no canister of yours: write your canister's id")
    return canister


def ack_interval_ms_of(text: str) -> int | None:
    """The ack interval in ms from seconds as text; None if it is empty. Raises ArgumentValueError."""
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds <= MAX_SECONDS:
        raise ArgumentValueError("write the canister's ack interval in seconds, such as 300")
    return round(seconds * 1000)


def ack_advice(text: str) -> str:
    """A remark about an interval that can be used, but is unusual; "" if there is none."""
    try:
        interval = ack_interval_ms_of(text)
    except ArgumentValueError:
        return ""
    if interval is not None and interval <= KEEP_ALIVE_TIMEOUT_MS:
        return f"the CDK refuses an interval of {KEEP_ALIVE_TIMEOUT_MS // 1000} s or less"
    return ""


def app_type_of(did: Any) -> candid.Type | None:
    """The type of the messages: {"how": "metadata"}, {"how": "path", "path": …} or {"how": "text", "text": …}.

    None for "metadata": it is read from the canister. Raises DidError.
    """
    fields = did if isinstance(did, Mapping) else {}
    match fields.get("how"):
        case "path":
            path = str(fields.get("path") or "").strip()
            if not path:
                raise DidError("write the path of the canister's .did file")
            return read_app_type(Path(path).expanduser())
        case "text":
            text = str(fields.get("text") or "")
            if not text.strip():
                raise DidError("choose the canister's .did file, or write a type such as record { text : text }")
            if len(text) > MAX_DID_BYTES:
                raise DidError(f"the file has more than {MAX_DID_BYTES} characters: is it a .did file?")
            return candid.parse_application_type(text)
    return None


def identity_of_field(identity: Any, variables: Mapping[str, Any]) -> Identity | None:
    """The identity of {"how": "new"}, {"how": "pem" or "ii", "path" or "text": …} or {"how": "variable", "name": …}.

    None for "new". Raises IdentityError or ArgumentTypeError, which never show what was read.
    """
    fields = identity if isinstance(identity, Mapping) else {}
    match fields.get("how"):
        case "pem" | "ii":
            text, path = str(fields.get("text") or ""), str(fields.get("path") or "").strip()
            if text:
                return resolve_identity(text.encode())
            if not path:
                raise IdentityError("write the path of the identity's file, or choose the file")
            return resolve_identity(Path(path).expanduser())
        case "variable":
            name = str(fields.get("name") or "").strip()
            if name not in variables or not name.isidentifier():
                raise IdentityError("write the name of a variable of this notebook that holds an identity")
            return resolve_identity(variables[name])
    return None


def identity_line(identity: Identity | None) -> str:
    """Who an identity is, in one line without its key."""
    return "" if identity is None else f"principal {identity.principal}"


def names_of_identities(variables: Mapping[str, Any]) -> list[str]:
    """The names of variables that hold an identity, of this package or of ic-py, or an Agent of ic-py."""
    found = []
    for name, value in list(variables.items()):
        is_foreign = type(value).__module__.split(".")[0] == "ic" and (hasattr(value, "sign") or is_agent(value))
        if not name.startswith("_") and (isinstance(value, Identity) or is_foreign):
            found.append(name)
    return sorted(found)


def connect_to(fields: Fields, variables: Mapping[str, Any]) -> connect:
    """The session that the fields lead to, not open yet. Raises IcwsError for the first field that is wrong."""
    return connect(
        _text(fields, "gateway"),
        network=_text(fields, "network") or None,
        canister=canister_of(_text(fields, "canister")),
        identity=identity_of_field(fields.get("identity"), variables),
        app_type=app_type_of(fields.get("did")),
        ack_interval_ms=ack_interval_ms_of(_text(fields, "ack")),
        wait_open=False,
    )
