"""Removes private data from a capture, for a report that is given to another person.

Proofs, requests and findings are checked on the real bytes first. Then the following is removed:

- Application payloads become their Candid type without labels, and their size.
- Every byte string (frames, contents, certificates, signatures) becomes its size. Hashes are removed as
  well, because a short message can be guessed from its hash or signature.
- Texts of peers that are not known texts of the protocol (words.py): close reasons, Err texts, traps, and
  faults that quote what they found.
- Credentials, queries and paths of URLs; session names and notes that came with a file.

Kinds, directions, times, sizes, sequence numbers, nonces, principals and verdicts stay. Principals can be
renamed (pseudonyms.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from icws_explore.capture import Capture, Frame, SessionInfo
from icws_explore.protocol.candid import parse_type
from icws_explore.protocol.candid.text import KEYWORDS
from icws_explore.protocol.envelope import Envelope
from icws_explore.protocol.errors import DecodeError, DidError, PrincipalError
from icws_explore.protocol.keys.delegation import SignedDelegation
from icws_explore.protocol.messages import CanisterMessage
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.steps import Step

from ..decode import DecodedFrame
from ..network_calls import NetworkCall
from .pseudonyms import Withheld, WithheldValue
from .words import (
    MASK,
    public_key,
    public_method,
    public_note,
    public_principal,
    public_reason,
    public_saying,
    public_target,
    public_time,
    public_url,
    withheld_text,
)

_NAME: Final = re.compile(r"[a-z]{0,8}[ -]?\d{1,7}")  # session names that our own recorders use
_ERROR_CODE: Final = re.compile(r"IC\d{4}")
_KNOWN_FIELDS: Final[tuple[str, ...]] = (
    "request_type",
    "canister_id",
    "method_name",
    "sender",
    "ingress_expiry",
    "nonce",
    "arg",
)
_HASH: Final = re.compile(r"(?:0x)?(?:[0-9a-f]{8,}…[0-9a-f]*|…[0-9a-f]{8,}|(?=[0-9]*[a-f])[0-9a-f]{8,})")
_QUOTED: Final = re.compile(r"(?<!\w)'([^']*)'(?!\w)|(?<!\w)\"([^\"]*)\"(?!\w)")


def public_capture(capture: Capture) -> Capture:
    """Remove private texts from reasons, URLs, session names and notes; the bytes stay."""
    names = _public_names(capture.frames)
    frames = [
        replace(frame, reason=_reason(frame), session=names.get(frame.session), far=None) for frame in capture.frames
    ]
    notes = [public_note(note) for note in capture.notes]
    return Capture(_public_info(capture.info), frames, notes, capture.page_calls)


def _public_names(frames: Sequence[Frame]) -> Mapping[str | None, str]:
    """Keep session names that our own recorders use; replace all others by numbers."""
    found: dict[str | None, str] = {}
    for is_http, word in ((False, "session "), (True, "http-")):
        names = dict.fromkeys(f.session for f in frames if f.session is not None and f.is_http == is_http)
        are_plain = all(_NAME.fullmatch(name) for name in names)
        found |= {name: name if are_plain else f"{word}{number}" for number, name in enumerate(names, 1)}
    return found


def _reason(frame: Frame) -> str | None:
    return public_target(frame.reason) if frame.is_http else public_reason(frame.reason)


def _public_info(info: SessionInfo) -> SessionInfo:
    return replace(
        info,
        gateway_url=public_url(info.gateway_url),
        network_url=public_url(info.network_url),
        canister_id=public_principal(info.canister_id),
        client_principal=public_principal(info.client_principal),
        started_at=public_time(info.started_at),
        app_type=info.app_type if _is_type(info.app_type) else None,
    )


def _is_type(text: str | None) -> bool:
    try:
        return text is not None and bool(parse_type(text))
    except DidError:
        return False


def without_words(decoded: DecodedFrame) -> DecodedFrame:
    """Redact the summary, the value and the fault of a frame; its bytes stay, to be judged."""
    content = decoded.message.content if decoded.message is not None else decoded.frame.data
    error = None if decoded.error is None else DecodeError(decoded.error.what, "the fault is withheld")
    if decoded.kind in ("message", "app"):
        value = WithheldValue.of(content)
        odd = "" if error is None else ", not of the declared type"
        return replace(decoded, summary=f"{value}{odd}", value=value, error=error)
    if decoded.kind != "malformed":
        return decoded
    if decoded.frame.op == "text":
        summary = f"text frame, {decoded.size} bytes: the protocol uses binary frames only"
    elif decoded.envelope is not None and decoded.envelope.method_name not in ("ws_open", "ws_message"):
        summary = "calls neither ws_open nor ws_message"
    else:
        summary = "does not decode" if error is None else f"does not decode as {error.what}"
    return replace(decoded, summary=summary, error=error)


def without_bytes(decoded: DecodedFrame) -> DecodedFrame:
    """Also replace every byte string by its size. The frame can no longer be verified afterwards."""
    message, outer = decoded.message, decoded.canister_message
    return replace(
        decoded,
        frame=replace(decoded.frame, data=Withheld.of(decoded.frame.data), far=None),
        envelope=None if decoded.envelope is None else _envelope(decoded.envelope),
        canister_message=None
        if outer is None
        else CanisterMessage(
            public_key(outer.key), Withheld.of(outer.content), Withheld.of(outer.cert), Withheld.of(outer.tree)
        ),
        message=None if message is None else replace(message, content=Withheld.of(message.content)),
    )


def _envelope(envelope: Envelope) -> Envelope:
    content: dict[str, Any] = {
        name: _content(name, envelope.content[name]) for name in _KNOWN_FIELDS if name in envelope.content
    }
    more = len(envelope.content) - len(content)
    if more:
        content["other fields"] = WithheldValue(f"{more} of them", 0)
    links = envelope.sender_delegation
    return replace(
        envelope,
        content=content,
        sender_pubkey=None if envelope.sender_pubkey is None else Withheld.of(envelope.sender_pubkey),
        sender_sig=None if envelope.sender_sig is None else Withheld.of(envelope.sender_sig),
        sender_delegation=None if links is None else tuple(_link(link) for link in links),
    )


def _content(name: str, value: Any) -> Any:
    """Redact a known field of a request; principals, known methods and times stay."""
    if name in ("canister_id", "sender") and isinstance(value, bytes):
        try:
            return Principal(value).raw
        except PrincipalError:
            return Withheld.of(value)
    if name == "method_name" and isinstance(value, str):
        return public_method(value)
    if name == "request_type" and value in ("call", "query", "read_state"):
        return value
    if name == "ingress_expiry" and isinstance(value, int) and 0 <= value < 2**64:
        return value
    return Withheld.of(value) if isinstance(value, bytes) else WithheldValue(type(value).__name__, 0)


def _link(link: SignedDelegation) -> SignedDelegation:
    return SignedDelegation(
        replace(link.delegation, pubkey=Withheld.of(link.delegation.pubkey)), Withheld.of(link.signature)
    )


def public_call(call: NetworkCall) -> NetworkCall:
    """Redact a network call; known texts of the CDK and the replica stay, and error codes of other texts."""
    text = public_saying(call.text)
    code = _ERROR_CODE.search(call.text)
    if text != call.text and code is not None:
        text = f"{code[0]}, {text}"
    return replace(
        call, text=text, target=public_target(call.target) or "", method_name=public_method(call.method_name)
    )


def public_steps(steps: Iterable[Step]) -> tuple[Step, ...]:
    """Return the steps with their verdicts, without the compared bytes."""
    return tuple(
        Step(step.step, step.ok, public_line(step.detail), _side(step.expected), _side(step.actual)) for step in steps
    )


def _side(side: bytes | str | None) -> str | None:
    return public_line(side) if isinstance(side, str) else None


def public_line(text: str) -> str:
    """Remove hashes and quoted texts of peers from one of our own lines."""
    return _QUOTED.sub(_unquoted, _HASH.sub("‹hash›", text))


def _unquoted(found: re.Match[str]) -> str:
    said = found[1] if found[1] is not None else found[2]
    if not said.replace(MASK, "").strip(" …"):
        return found[0]  # nothing is left to hide
    # A keyword stands in quotes where it is a label of a declared type.
    is_public = said in KEYWORDS or said in (public_reason(said), public_saying(said), public_method(said))
    return found[0] if is_public else withheld_text(said)


def private_texts(frames: Sequence[DecodedFrame], calls: Iterable[NetworkCall]) -> Iterable[str]:
    """Everything that a line of ours may have quoted: payloads as text, hex and numbers, and what peers answered.

    ``frames`` are those that were decoded, before anything was withheld.
    """
    for decoded in frames:
        if decoded.kind in ("message", "app", "malformed"):
            content = decoded.frame.data if decoded.message is None else decoded.message.content
            yield content.decode("utf-8", "replace")
            yield content.hex()
            yield from _leaves(decoded.value)
    for call in calls:
        if public_saying(call.text) != call.text:
            yield " ".join(call.text.split())


def _leaves(value: Any) -> Iterable[str]:
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            waiting += part.values()
        elif isinstance(part, (list, tuple)):
            waiting += part
        elif isinstance(part, (str, int, float, Principal)) and not isinstance(part, bool):
            yield str(part)
