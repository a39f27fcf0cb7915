"""Ends that say something by themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from icws_explore.protocol.service_messages import CloseMessage, CloseReason

from ..facts import LOST, SessionFacts
from ..finding import seconds
from ..registry import Evidence, session_rule

IDLE_LIMITS_S: Final = (60.0, 100.0)  # nginx and most load balancers; Cloudflare
IDLE_TOLERANCE_S: Final = 5.0


@session_rule(
    "CLOSED_BY_APPLICATION",
    severity="info",
    sdk='close(4001, "ClosedByApplication"); onclose is called, onerror is not.',
    fix="Nothing is wrong: the canister's code called close() for this client.",
    source="ic-websocket-js 0.5.0 ic-websocket.ts; CDK 0.4.1 lib.rs, close",
)
def closed_by_application(session: SessionFacts) -> Iterator[Evidence]:
    closing = session.canister_close
    if closing is None or not isinstance(closing.service, CloseMessage):
        return
    if closing.service.reason is CloseReason.CLOSED_BY_APPLICATION:
        told = f"The canister closed the session {seconds(session.at(closing))} into it (frame {closing.number})."
        yield Evidence((closing.number, *session.end_frames), told)


@session_rule(
    "PROXY_IDLE",
    sdk="The connection is gone: onclose with code 1006. It neither pings nor reconnects.",
    fix="Raise the idle time-out of the proxy in front of the gateway above the ack interval (300 s by default), or "
    "let the application say something more often.",
    source="catalogue: inferred; nobody pings",
)
def proxy_idle(session: SessionFacts) -> Iterator[Evidence]:
    end = session.end
    if end is None or end.frame.code != LOST or session.opened is None:
        return
    before = [d for d in session.frames if d.number < end.number]
    idle = end.frame.t - max(d.frame.t for d in before)
    for limit in IDLE_LIMITS_S:
        if -IDLE_TOLERANCE_S <= idle - limit <= max(IDLE_TOLERANCE_S, session.whole.jitter_s):
            told = (
                f"The connection was lost (1006) {seconds(idle)} after the last frame ({before[-1].number}), about the "
                f"{limit:.0f} s for which usual proxies let a connection be silent. A gateway or a network that went "
                "away at that moment looks the same: record on the other side of the proxy, too, or see whether it "
                "comes again after the same time."
            )
            yield Evidence((before[-1].number, end.number), told)
            return
