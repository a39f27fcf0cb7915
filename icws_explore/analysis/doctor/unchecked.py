"""What could not be checked in a recording, why, and what would check it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from icws_explore.protocol.service_messages import AckMessage

from ..decode import application_type
from .facts import CaptureFacts, SessionFacts
from .finding import REDACTED, Unchecked, count

# What the readers of files note about frames that they could not read.
_INCOMPLETE: Final = re.compile(
    r"left out|lost|missing|torn|damaged|in part|cut|in the middle|read up to|read to its end"
)
_NETWORK_HOW: Final = "Record it with icws tap … --network URL, and point the gateway at the tap's second address."
_TYPE_HOW: Final = "Name the canister's interface with --did FILE.did."


def unchecked(facts: CaptureFacts) -> Iterator[Unchecked]:
    """The checks that the recording has no facts for."""
    if any(socket.protocol == REDACTED for socket in facts.left_out):
        why = "the file was redacted: it says what each message was, and does not hold it"
        yield Unchecked("the messages", why, "Diagnose the recording that the file was made from.")
    if not facts.sessions:
        if not facts.left_out and not facts.failed_upgrades:
            yield Unchecked("sessions", "the recording holds none", "Start recording before the page connects.")
        return
    yield from _proofs(facts)
    yield from _requests(facts)
    yield from _network(facts)
    yield from _beginnings(facts)
    yield from _ends(facts)
    yield from _types(facts)
    for note in [note for note in facts.capture.notes if _INCOMPLETE.search(note)][:1]:
        yield Unchecked("frames that were not recorded", note.rstrip("."), "Record the session again in full.")


def _proofs(facts: CaptureFacts) -> Iterator[Unchecked]:
    messages = sum(d.canister_message is not None for session in facts.sessions for d in session.frames)
    if not facts.has_real_crypto:
        why = f"the recording was simulated with {facts.capture.info.crypto} cryptography"
        yield Unchecked("signatures and proofs", why, "Simulate with real cryptography.")
    elif facts.root_key is None and messages:
        yield Unchecked(
            f"signatures of the certificates of {count(messages, 'message')}",
            "no root key is known",
            "Name the network with --network URL, or its key with --root-key HEX (in Python: root_key=…).",
        )


def _requests(facts: CaptureFacts) -> Iterator[Unchecked]:
    for session in facts.sessions:
        altered = session.altered_request
        if altered is not None:
            yield Unchecked(
                "signatures of the client's requests",
                f"frame {altered.number} does not verify, but the canister received that request: the recording holds "
                "other bytes than the client sent",
                "Record the session again.",
                _names(facts, [session]),
            )


def _network(facts: CaptureFacts) -> Iterator[Unchecked]:
    if facts.capture.info.origin == "simulated":
        return  # its log has what happened there
    bare = [session for session in facts.sessions if not session.has_network_side]
    doubtful = [session for session in bare if _unacknowledged(session)]
    messages = sum(_unacknowledged(session) for session in doubtful)
    if messages:
        yield Unchecked(
            f"whether the canister received {count(messages, 'message')}",
            "neither an ack nor an answer shows it, and the network's answers are not recorded",
            _NETWORK_HOW,
            _names(facts, doubtful),
        )


def _unacknowledged(session: SessionFacts) -> int:
    """How many of the client's application messages no ack covers, and no application message follows."""
    acked = max(
        (d.service.last_incoming_sequence_num for d in session.acks if isinstance(d.service, AckMessage)), default=0
    )
    answered = max((d.number for d in session.received if d.kind == "app"), default=-1)
    return sum(d.kind == "message" and (d.sequence_num or 0) > acked and d.number > answered for d in session.sent)


def _beginnings(facts: CaptureFacts) -> Iterator[Unchecked]:
    late = [
        session for session in facts.sessions if session.open_request is None and (session.received or session.sent)
    ]
    if late:
        yield Unchecked(
            "the client key and the first sequence numbers",
            "the recording begins after ws_open",
            "Start recording (in a browser: open the developer tools) before the page connects.",
            _names(facts, late),
        )


def _ends(facts: CaptureFacts) -> Iterator[Unchecked]:
    open_ended = [session for session in facts.sessions if session.end is None]
    if facts.capture.info.origin == "har" and open_ended:
        yield Unchecked(
            "how the sessions ended",
            "the HAR file does not say when or with which code a socket closed",
            "Record with icws tap.",
            _names(facts, open_ended),
        )


def _types(facts: CaptureFacts) -> Iterator[Unchecked]:
    talking = [s for s in facts.sessions if any(d.kind in ("app", "message") for d in s.frames)]
    if talking and application_type(facts.capture) is None:
        what = "the types of the application messages"
        yield Unchecked(what, "the recording does not name the declared type", _TYPE_HOW, _names(facts, talking))


def _names(facts: CaptureFacts, sessions: list[SessionFacts]) -> tuple[str | None, ...]:
    """Their names; none if it is all sessions."""
    return () if len(sessions) == len(facts.sessions) else tuple(session.name for session in sessions)
