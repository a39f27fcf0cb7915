"""Sessions that share a gateway, a canister or a client."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from icws_explore.protocol.errors import MessageError
from icws_explore.protocol.messages import parse_message_key

from ..decode import DecodedFrame
from .facts import Path, SessionFacts
from .network_side import cause_of


def by_canister(sessions: Iterable[SessionFacts]) -> Iterator[list[SessionFacts]]:
    """The sessions of each canister."""
    ordered = sorted(sessions, key=lambda session: str(session.asked_canister))
    return (list(group) for _, group in groupby(ordered, key=lambda session: session.asked_canister))


def by_gateway(sessions: Iterable[SessionFacts]) -> Iterator[list[SessionFacts]]:
    """The sessions of each gateway; sessions without a handshake are left out."""
    ordered = sorted(
        (session for session in sessions if session.gateway is not None), key=lambda session: str(session.gateway)
    )
    return (list(group) for _, group in groupby(ordered, key=lambda session: session.gateway))


def by_path(sessions: Iterable[SessionFacts]) -> list[list[SessionFacts]]:
    """The sessions of each gateway and canister."""
    groups: dict[Path, list[SessionFacts]] = {}
    for session in sessions:
        groups.setdefault(session.path, []).append(session)
    return list(groups.values())


def by_client(sessions: Iterable[SessionFacts]) -> list[list[SessionFacts]]:
    """The sessions of each principal at each canister, as `is_same_client` compares them.

    A session without ws_open is a group of its own.
    """
    groups: dict[object, list[SessionFacts]] = {}
    for session in sessions:
        groups.setdefault(session if session.client is None else session.client, []).append(session)
    return list(groups.values())


def at_once(sessions: Iterable[SessionFacts], within_s: float) -> Iterator[list[SessionFacts]]:
    """Groups of sessions whose last frames are no more than ``within_s`` seconds after the first of the group."""
    group: list[SessionFacts] = []
    for session in sorted(sessions, key=lambda session: session.last):
        if group and session.last - group[0].last > within_s:
            yield group
            group = []
        group.append(session)
    if group:
        yield group


def shares_path(one: SessionFacts, other: SessionFacts) -> bool:
    """Whether both sessions have the same gateway and the same canister."""
    return one.path == other.path


def is_served(session: SessionFacts) -> bool:
    """Whether a session of the same canister opened through the same gateway."""
    return session.path in session.facts.served_paths


def is_same_client(one: SessionFacts, other: SessionFacts) -> bool:
    """Whether both sessions are of one principal at one canister."""
    return one.client is not None and one.client == other.client


def last_received(sessions: Iterable[SessionFacts]) -> DecodedFrame:
    """The last canister message that any of the sessions received. Raises ValueError if there is none."""
    return max((d for session in sessions for d in session.received), key=lambda d: d.frame.t)


def gateway_nonce(decoded: DecodedFrame) -> int | None:
    """The number that the canister gave a message in its queue for the gateway, as its key holds it."""
    if decoded.canister_message is None:
        return None
    try:
        return parse_message_key(decoded.canister_message.key)[1]
    except MessageError:
        return None


def is_unregistered(session: SessionFacts) -> bool:
    """Whether the canister refused the gateway's poll because it does not know the gateway."""
    return session.fatal_poll is not None and session.opened is None and cause_of(session.fatal_poll) == "gateway"
