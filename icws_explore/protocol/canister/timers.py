"""The two timers of a CDK: acks at every interval, and the keep-alive check behind each.

Source: timers.rs and Timers.mo. Both are global to the canister: the first ack comes 0 to one
interval after a client opened. A client that got an ack once is checked every time; it is removed
if its last keep-alive message (or its opening) is then older than the timeout.
"""

from __future__ import annotations

from collections.abc import Callable

from ..constants import NS_PER_MS
from ..service_messages import AckMessage, CloseReason
from .clients import Client
from .sessions import Sessions


class Timers:
    """The timers' ids are part of the sessions' state, so that a rolled back start is forgotten."""

    def __init__(self, sessions: Sessions, ack_number: Callable[[Client], int]) -> None:
        self._sessions = sessions
        self._ack_number = ack_number
        self._system = sessions.system

    def start(self) -> None:
        """Ack from now on, one interval later for the first time; timers that run are replaced."""
        self.cancel()
        interval_ns = self._sessions.config.send_ack_interval_ms * NS_PER_MS
        self._sessions.state.ack_timer = self._system.set_timer_interval(interval_ns, self._acks_are_due)

    def cancel(self) -> None:
        state = self._sessions.state
        for timer in (state.ack_timer, state.keep_alive_timer):
            if timer is not None:
                self._system.clear_timer(timer)
        state.ack_timer = state.keep_alive_timer = None

    def _acks_are_due(self) -> None:
        state = self._sessions.state
        for client in state.clients.in_ack_order():
            self._sessions.send_service(client, AckMessage(self._ack_number(client)))
            state.clients.acked(client.key)
        self._sessions.print("[ack-to-clients-timer-cb]: Sent ack messages to all clients")

        timeout_ns = self._sessions.config.keep_alive_timeout_ms * NS_PER_MS
        state.keep_alive_timer = self._system.set_timer(timeout_ns, self._keep_alives_are_due)

    def _keep_alives_are_due(self) -> None:
        sessions = self._sessions
        timeout_ms = sessions.config.keep_alive_timeout_ms
        sessions.awaits()
        sessions.remove_expired_gateways()
        for client in sessions.state.clients.waiting():
            # An on_close before this one may have closed this client too, or it may have opened anew.
            current = sessions.state.clients.get(client.key)
            late = client if current is None and not sessions.is_motoko else current
            if late is None or self._system.time_ns() - late.last_keep_alive_ns <= timeout_ms * NS_PER_MS:
                continue
            sessions.awaits()
            if current is not None:  # the Rust CDK says so of a client that has gone meanwhile too
                sessions.remove(current, CloseReason.KEEP_ALIVE_TIMEOUT)
            shown = f"{timeout_ms:_} ms" if sessions.is_motoko else f"{timeout_ms}ms"
            sessions.print(
                f"[check-keep-alive-timer-cb]: Client {client.key} has not sent a keep alive message "
                f"in the last {shown} and has been removed"
            )
        sessions.print("[check-keep-alive-timer-cb]: Checked keep alive messages for all clients")
