"""Sessions that share a gateway, a canister or a client."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from icws_explore.protocol.errors import MessageError
from icws_explore.protocol.messages import parse_message_key

from ..decode import DecodedFrame
from .facts import SessionFacts


def by_canister(sessions: Iterable[SessionFacts]) -> Iterator[list[SessionFacts]]:
    ordered = sorted(sessions, key=lambda it: str(it.asked_canister))
    return (list(group) for _, group in groupby(ordered, key=lambda it: it.asked_canister))


def by_gateway(sessions: Iterable[SessionFacts]) -> Iterator[list[SessionFacts]]:
    ordered = sorted((it for it in sessions if it.gateway is not None), key=lambda it: str(it.gateway))
    return (list(group) for _, group in groupby(ordered, key=lambda it: it.gateway))


def by_client(sessions: Iterable[SessionFacts]) -> list[list[SessionFacts]]:
    """Those of one principal at one canister; one whose client is not known is alone. As `is_same_client` has it."""
    groups: dict[object, list[SessionFacts]] = {}
    for it in sessions:
        client = it if it.client_key is None else (it.asked_canister, it.client_key.client_principal)
        groups.setdefault(client, []).append(it)
    return list(groups.values())


def is_along(one: SessionFacts, other: SessionFacts) -> bool:
    return one.gateway == other.gateway and one.asked_canister == other.asked_canister


def is_served(session: SessionFacts) -> bool:
    """Whether a session of that canister opened through that gateway, so that each knows the other."""
    return any(it.opened is not None and is_along(it, session) for it in session.whole.sessions)


def is_same_client(one: SessionFacts, other: SessionFacts) -> bool:
    keys = one.client_key, other.client_key
    if keys[0] is None or keys[1] is None or one.asked_canister != other.asked_canister:
        return False
    return keys[0].client_principal == keys[1].client_principal


def last_received(sessions: list[SessionFacts]) -> DecodedFrame:
    return max((d for it in sessions for d in it.received), key=lambda d: d.frame.t)


def gateway_nonce(decoded: DecodedFrame) -> int | None:
    if decoded.canister_message is None:
        return None
    try:
        return parse_message_key(decoded.canister_message.key)[1]
    except MessageError:
        return None
