"""What an imported capture does not say of itself, but its own frames do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from icws_explore.capture import Capture
from icws_explore.capture.notes import Notes
from icws_explore.protocol.envelope import Envelope
from icws_explore.protocol.errors import DecodeError
from icws_explore.protocol.principal import Principal

from .retime import retimed

MAX_NAMED: Final = 10


@dataclass(frozen=True, slots=True)
class Party:
    """Who called whom in a client's frame."""

    session: str | None
    canister_id: Principal | None
    sender: Principal | None


def parties(capture: Capture) -> Iterator[Party]:
    """The parties of each envelope that a client sent, in the order of the frames."""
    for frame in capture.frames:
        if frame.op != "binary" or frame.direction != "out":
            continue
        try:
            envelope = Envelope.decode_frame(frame.data)
        except DecodeError:
            continue  # not of this protocol, or malformed: the decoded table says so
        yield Party(frame.session, envelope.canister_id, envelope.sender)


def identify(capture: Capture) -> Capture:
    """The capture with the canister of its first envelope, and the client where there is only one.

    What the capture says already stays. Sessions that hold no envelope at all are named in the notes. A HAR
    without usable times gets those that its messages hold.
    """
    capture = retimed(capture)
    info = capture.info
    found = list(parties(capture))
    canisters = list(dict.fromkeys(party.canister_id for party in found if party.canister_id is not None))
    senders = {party.sender for party in found if party.sender is not None}
    notes = Notes()
    notes += capture.notes
    if len(canisters) > 1 and info.canister_id is None:
        others = ", ".join(canister.text for canister in canisters[1 : 1 + MAX_NAMED])
        others += f" and {len(canisters) - 1 - MAX_NAMED} more" if len(canisters) - 1 > MAX_NAMED else ""
        notes.append(f"the canister is that of the first session; there are others: {others}")
    speaking = {party.session for party in found}
    silent = [session for session in capture.session_ids if session not in speaking and session is not None]
    for session in silent:
        notes.some("sessions that sent none", f"session {session} sent no IC WebSocket request")
    info = replace(
        info,
        canister_id=info.canister_id or (canisters[0].text if canisters else None),
        client_principal=info.client_principal or (senders.pop().text if len(senders) == 1 else None),
    )
    return Capture(info, capture.frames, notes.counted())
