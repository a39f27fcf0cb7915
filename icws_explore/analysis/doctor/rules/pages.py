"""What a browser's page does with its sockets: sockets that never open, too many of them, other identities."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from icws_explore.capture.upgrade import Upgrade
from icws_explore.protocol.close_codes import CloseCode
from icws_explore.protocol.principal import Principal

from ..facts import LOST, SWITCHING_PROTOCOLS, CaptureFacts, SessionFacts
from ..finding import REDACTED, count, names, seconds
from ..grouping import by_canister, by_path
from ..registry import Evidence, capture_rule

_NO_SUBPROTOCOL: Final = (
    "Pass undefined as IcWebSocket's second argument (protocols): the gateway confirms no subprotocol, and a browser "
    "then drops the connection."
)
DROPPED_S: Final = 0.1  # within this time after the upgrade a browser has dropped a connection without its subprotocol
MANY_SOCKETS: Final = 6  # that end at once
MANY_OPEN_SOCKETS: Final = 10  # of which the recording holds no end
PER_RENDER_S: Final = 30.0  # within this time one page has opened its sockets

# Errors of browsers, and of a tap (those of the system and of OpenSSL): what they mean, and what to do.
_ERRORS: Final = (
    (r"CERT_DATE_INVALID|CERTIFICATE HAS EXPIRED",
     "the server's TLS certificate has expired (or the client's clock is wrong)",
     "Renew the gateway's TLS certificate."),
    (r"CERT_COMMON_NAME_INVALID|ALT_NAME|HOSTNAME MISMATCH|NOT VALID FOR",
     "the TLS certificate is for another host name",
     "Use the host name that the certificate names, or get a certificate for this one."),
    (r"CERT_AUTHORITY_INVALID|UNKNOWN_ISSUER|SELF[-_ ]SIGNED|ISSUER CERTIFICATE",
     "the client does not trust the certificate's issuer",
     "Use a certificate of a public authority; for a local one, trust it in the browser first."),
    (r"CERT|SSL|TLS", "the TLS connection failed",
     "Check the gateway's TLS certificate and the URL's scheme and port."),
    (r"NAME_NOT_RESOLVED|UNKNOWN_HOST|DNS|NAME OR SERVICE|NODENAME NOR|NAME RESOLUTION|ADDRESS ASSOCIATED",
     "the host name does not exist (DNS)",
     "Check the gateway URL for a typing error, and the name's DNS record."),
    (r"CONNECTION[_ ]REFUSED", "nothing listens on that host and port",
     "Start the gateway, and check host and port of the URL."),
    (r"TIMED[_ ]OUT|TIMEOUT|DOES NOT ANSWER", "the host does not answer: it is down, or a firewall drops the packets",
     "Check that the gateway's port is reachable from the client."),
    (r"INTERNET_DISCONNECTED|NETWORK_CHANGED|UNREACHABLE|NO ROUTE TO", "the client has no way to that host",
     "Check the client's network."),
    (r"CONNECTION[_ ](RESET|CLOSED)|EMPTY[_ ]RESPONSE", "the server closed the connection without an answer",
     "Check that the port is the gateway's, and that ws:// is not used for a TLS port."),
    (r"NOT AN HTTP", "what listens there does not speak HTTP",
     "Check host and port of the URL: this port is not the gateway's."),
    (r"BLOCKED_BY_CLIENT", "an extension of the browser blocked it", "Disable the content blocker for this page."),
    (r"BLOCKED|CSP|MIXED", "the browser blocked it (Content Security Policy or mixed content)",
     "Add the gateway to the page's connect-src, and use wss:// on an https page."),
)  # fmt: skip
_STATUSES: Final = {
    200: ("it is a web server, or a proxy that does not pass the upgrade on", "proxy"),
    301: ("it redirects, which a WebSocket does not follow", "url"),
    302: ("it redirects, which a WebSocket does not follow", "url"),
    307: ("it redirects, which a WebSocket does not follow", "url"),
    308: ("it redirects, which a WebSocket does not follow", "url"),
    400: ("it did not understand the upgrade: a proxy in front of it removes the Upgrade headers", "proxy"),
    401: ("it asks for a login", "url"),
    403: ("it refuses this page (its origin, or a firewall rule)", "url"),
    404: ("it has nothing at this path", "url"),
    426: ("it wants an upgrade, and did not see one: a proxy in front of it removes the Upgrade headers", "proxy"),
    429: ("it limits the rate of connections", "busy"),
    500: ("it failed", "busy"),
    502: ("the proxy does not reach the gateway behind it", "busy"),
    503: ("it is overloaded, or the gateway behind it is down", "busy"),
    504: ("the gateway behind the proxy does not answer", "busy"),
}
_STATUS_FIXES: Final = {
    "proxy": "Let the proxy pass the upgrade on (nginx: proxy_http_version 1.1; proxy_set_header Upgrade "
    "$http_upgrade; proxy_set_header Connection upgrade;), and check that the URL is the gateway's.",
    "url": "Check the gateway URL: scheme, host, port and path.",
    "busy": "Check that the gateway behind the proxy runs, and look at the logs of both.",
}


@capture_rule(
    "SOCKET_NEVER_OPENED",
    sdk="It never gets to its handshake: onerror, then onclose with code 1006.",
    fix="Check the gateway URL, and that the gateway runs.",
    source="RFC 6455, section 4.1; Chromium net error list",
    explains=("NO_IC_WEBSOCKET",),
)
def socket_never_opened(facts: CaptureFacts) -> Iterator[Evidence]:
    for number, upgrade in facts.failed_upgrades:
        if _lacks_subprotocol(upgrade):
            continue
        session = facts.capture.frames[number].session
        meaning, fix = _meaning(upgrade)
        what = f"answered {upgrade.status} instead of 101" if upgrade.status else f"failed with {_error(upgrade)}"
        text = f"The WebSocket to {upgrade.url} never opened. The connection {what}: {meaning}."
        if upgrade.status:
            text = f"The WebSocket to {upgrade.url} never opened. The server {what}: {meaning}."
        if not upgrade.is_explained:
            text = (
                f"The WebSocket to {upgrade.url} never opened: the browser's file holds neither an answer (status 0) "
                "nor an error. The host was not reached, or the file was saved before it answered."
            )
        yield Evidence((number,), text, (session,), fix=fix, severity=None if upgrade.is_explained else "warning")


def _meaning(upgrade: Upgrade) -> tuple[str, str]:
    """What the failure means, and what to do."""
    if upgrade.status and upgrade.status != SWITCHING_PROTOCOLS:
        meaning, kind = _STATUSES.get(upgrade.status, ("it is not a gateway, or it refuses the upgrade", "url"))
        return meaning, _STATUS_FIXES[kind]
    for sign, meaning, fix in _ERRORS:
        if re.search(sign, upgrade.error.upper()):
            return meaning, fix
    return "the error does not say more", "Read the browser's console, and check the gateway URL."


def _error(upgrade: Upgrade) -> str:
    """The error: a browser's code as it is, any other text in quotes."""
    return upgrade.error_code or f'"{upgrade.error}"'


def _lacks_subprotocol(upgrade: Upgrade) -> bool:
    return upgrade.status == SWITCHING_PROTOCOLS and bool(upgrade.asked) and not upgrade.confirmed


@capture_rule(
    "SUBPROTOCOL",
    sdk="It passes its second argument (protocols) on to the browser's WebSocket: onerror, then onclose with code "
    "1006.",
    fix=_NO_SUBPROTOCOL,
    source="RFC 6455, section 4.1; HTML standard, WebSockets",
    explains=("CONNECTION_LOST",),
)
def subprotocol(facts: CaptureFacts) -> Iterator[Evidence]:
    for number, upgrade in facts.failed_upgrades:
        if _lacks_subprotocol(upgrade):
            text = (
                f"The page asked for the subprotocol {upgrade.asked!r} at {upgrade.url}. The gateway answered 101 and "
                "confirmed none, so the browser dropped the connection."
            )
            yield Evidence((number,), text, (facts.capture.frames[number].session,))
    for session in facts.sessions:
        sent = any(d.frame.direction == "out" and d.frame.op != "close" for d in session.frames)
        if session.end is None or session.end.frame.code != LOST or sent or session.handshake is None:
            continue
        after_s = session.end.frame.t - session.connected
        if after_s <= DROPPED_S:
            text = (
                f"The connection was lost (1006) {seconds(after_s)} after it was made, before the client sent "
                "anything. A browser drops it like this if the page asked for a subprotocol that the gateway does not "
                "confirm. A page that was left at that moment looks the same, but not again and again."
            )
            yield Evidence((session.handshake.number, session.end.number), text, (session.name,))


@capture_rule(
    "NO_IC_WEBSOCKET",
    severity="warning",
    sdk="It does not take part.",
    fix="Record the page that uses the IC WebSocket, with the developer tools open before it connects. If a socket is "
    "missing, the browser may have blocked it: its console says so.",
    source="the recording",
)
def no_ic_websocket(facts: CaptureFacts) -> Iterator[Evidence]:
    others = [socket for socket in facts.left_out if socket.protocol != REDACTED]
    if len(others) == len(facts.left_out) > 0 and not facts.sessions:
        protocols = ", ".join(dict.fromkeys(socket.protocol for socket in others))
        which = f"none of its {count(len(others), 'socket')} speaks" if len(others) > 1 else "its socket does not speak"
        text = f"There is no IC WebSocket in this recording: {which} the protocol ({protocols})."
        frames = [d for d in facts.frames if d.frame.session == others[0].session and not d.frame.is_http]
        yield Evidence((frames[0].number,), text, tuple(socket.session for socket in others))


@capture_rule(
    "CALLER_MISMATCH",
    severity="warning",
    sdk="It opens the socket as the identity that it was given.",
    fix="Give IcWebSocket the identity with which the page calls the canister (from AuthClient.getIdentity(), say), "
    "not generateRandomIdentity(): the canister sends to a principal, and a message for the other one reaches no "
    "socket.",
    source="ic-websocket-js README; CDK 0.4.1 lib.rs, send",
    explains_ends=False,
)
def caller_mismatch(facts: CaptureFacts) -> Iterator[Evidence]:
    for sessions in by_canister(facts.sessions):
        mine = {session.client_key.client_principal.text for session in sessions if session.client_key is not None}
        canister = sessions[0].asked_canister
        if not mine or canister is None:
            continue
        callers = facts.network.page_callers.get(canister.text, frozenset())
        others = sorted(callers - {Principal.ANONYMOUS.text})
        if not others or not mine.isdisjoint(callers):
            continue
        names_of_mine = names(sorted(mine), 3)
        text = (
            f"The page calls {canister} as {names(others, 3)}, but its socket was opened as {names_of_mine}. "
            "generateRandomIdentity() gives such a second identity. Whatever the canister sends to the caller reaches "
            "no socket."
        )
        openings = tuple(session.open_request.number for session in sessions if session.open_request is not None)
        yield Evidence(openings, text, tuple(session.name for session in sessions))


@capture_rule(
    "SOCKETS_PER_RENDER",
    severity="info",
    sdk="Each IcWebSocket opens a connection of its own and keeps it until it is closed.",
    fix="If these sockets belong to one page: create the IcWebSocket once, outside of the component's render (in an "
    "effect with a cleanup, or in a module), and close it when it is not needed any more.",
    source="public reports; React documentation, effects",
    explains=("GATEWAY_RESTART", "CONNECTION_LOST", "PROXY_IDLE", "LIFETIME_LIMIT"),
)
def sockets_per_render(facts: CaptureFacts) -> Iterator[Evidence]:
    for sessions in by_path(facts.sessions):
        silent = [session for session in sessions if _says_nothing(session)]
        began = [session.began for session in silent]
        if len(silent) < MANY_SOCKETS or max(began) - min(began) > max(PER_RENDER_S, facts.jitter_s):
            continue
        clients = {session.client_key.client_principal for session in silent if session.client_key is not None}
        ends = [session.end.frame.t for session in silent if session.end is not None]
        at_once = len(ends) == len(silent) and max(ends) - min(ends) <= 1.0
        is_page = at_once or (not ends and len(silent) >= MANY_OPEN_SOCKETS)
        if len(clients) < len(silent) or not is_page:
            continue
        text = (
            f"{len(silent)} sockets of {len(clients)} identities opened within {seconds(max(began) - min(began))}, "
            "sent no message, and were not closed"
        )
        text += ", until all of them ended at once." if ends else "."
        text += " That looks like one page that opens a new socket each time it renders."
        yield Evidence(
            tuple(session.frames[0].number for session in silent), text, tuple(session.name for session in silent)
        )


def _says_nothing(session: SessionFacts) -> bool:
    """The client opened the session, sent no message of the application, and did not close it."""
    if session.open_request is None or any(d.kind == "message" for d in session.sent):
        return False
    return session.end is None or session.is_lost or session.end.frame.code == CloseCode.GOING_AWAY
