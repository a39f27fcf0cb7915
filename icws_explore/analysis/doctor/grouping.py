"""Sessions that share a gateway, a canister or a client."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from icws_explore.protocol.errors import MessageError
from icws_explore.protocol.messages import parse_message_key

from ..decode import DecodedFrame
from .facts import Path, SessionFacts


def by_canister(sessions: Iterable[SessionFacts]) -> Iterator[list[SessionFacts]]:
    """The sessions of each canister."""
    ordered = sorted(sessions, key=lambda it: str(it.asked_canister))
    return (list(group) for _, group in groupby(ordered, key=lambda it: it.asked_canister))


def by_gateway(sessions: Iterable[SessionFacts]) -> Iterator[list[SessionFacts]]:
    """The sessions of each gateway; sessions without a handshake are left out."""
    ordered = sorted((it for it in sessions if it.gateway is not None), key=lambda it: str(it.gateway))
    return (list(group) for _, group in groupby(ordered, key=lambda it: it.gateway))


def by_path(sessions: Iterable[SessionFacts]) -> list[list[SessionFacts]]:
    """The sessions of each gateway and canister."""
    groups: dict[Path, list[SessionFacts]] = {}
    for it in sessions:
        groups.setdefault(it.path, []).append(it)
    return list(groups.values())


def by_client(sessions: Iterable[SessionFacts]) -> list[list[SessionFacts]]:
    """The sessions of each principal at each canister, as `is_same_client` compares them.

    A session without ws_open is a group of its own.
    """
    groups: dict[object, list[SessionFacts]] = {}
    for it in sessions:
        client = it if it.client_key is None else (it.asked_canister, it.client_key.client_principal)
        groups.setdefault(client, []).append(it)
    return list(groups.values())


def at_once(sessions: Iterable[SessionFacts], within_s: float) -> Iterator[list[SessionFacts]]:
    """Groups of sessions whose last frames are no more than ``within_s`` seconds after the first of the group."""
    group: list[SessionFacts] = []
    for session in sorted(sessions, key=lambda it: it.last):
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
    keys = one.client_key, other.client_key
    if keys[0] is None or keys[1] is None or one.asked_canister != other.asked_canister:
        return False
    return keys[0].client_principal == keys[1].client_principal


def last_received(sessions: Iterable[SessionFacts]) -> DecodedFrame:
    """The last canister message that any of the sessions received. Raises ValueError if there is none."""
    return max((d for it in sessions for d in it.received), key=lambda d: d.frame.t)


def gateway_nonce(decoded: DecodedFrame) -> int | None:
    """The number that the canister gave a message in its queue for the gateway, as its key holds it."""
    if decoded.canister_message is None:
        return None
    try:
        return parse_message_key(decoded.canister_message.key)[1]
    except MessageError:
        return None
