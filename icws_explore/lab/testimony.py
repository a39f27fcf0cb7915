"""What the replica and its canisters tell the lab's log, in the words of the protocol.

The real gateway passes none of it on: not that a call was refused, not that ws_open answered Err,
not that a handler trapped. Here it can be read beside the capture.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from icws_explore.protocol.arguments import decode_result
from icws_explore.protocol.canister import Outcome, Reject, TimerRun
from icws_explore.protocol.errors import DecodeError
from icws_explore.protocol.principal import Principal

from .log import LabLog
from .replica.admission import Request
from .replica.refusal import Refused

_TRAPPED = "IC0503"
_ANSWERS_RESULT = ("ws_open", "ws_message", "ws_close")


class Testimony:
    """Writes the replica's and the canisters' side into ``log``."""

    def __init__(self, log: LabLog) -> None:
        self._log = log

    @contextmanager
    def refusals(self, kind: str, effective_id: Principal) -> Iterator[None]:
        """Note what the body refuses; it goes on."""
        try:
            yield
        except Refused as refused:
            text = f"{kind} for {effective_id.short}: HTTP {refused.status} {refused.text.splitlines()[0]}"
            self._log.write("replica", "refused", text, status=refused.status, canister_id=str(effective_id))
            raise

    def received(self, request: Request) -> None:
        self._write("replica", "received", request, f"{request.method} from {request.sender.short}")

    def replayed(self, request: Request) -> None:
        text = f"{request.method} from {request.sender.short} again: not executed twice"
        self._write("replica", "replayed", request, text)

    def not_replicated(self, request: Request, reject: Reject) -> None:
        self._write("replica", "rejected", request, f"{request.method}: {reject.text}", reject_code=reject.code)

    def executed(self, request: Request, outcome: Outcome) -> None:
        """An update call: accepted, answered with Err, trapped or rejected."""
        if isinstance(outcome, Reject):
            self._rejected(request, outcome)
        elif (err := _err(request, outcome.data)) is not None:
            self._write("canister", "err", request, f"{request.method}: {err}", err=err)
        else:
            self._write("canister", "accepted", request, f"{request.method} from {request.sender.short}")

    def queried(self, request: Request, outcome: Outcome) -> None:
        """Queries are not logged, at ten polls a second, unless they fail."""
        if isinstance(outcome, Reject):
            self._rejected(request, outcome)

    def timers(self, canister_id: Principal, runs: Iterable[TimerRun]) -> None:
        """A timer's trap reaches nobody else."""
        for run in runs:
            if run.reject is not None:
                text = f"in a timer: {run.reject.text}"
                self._log.write("canister", "trapped", text, canister_id=str(canister_id))

    def upgraded(self, canister_id: Principal) -> None:
        """What no client is told, and every one of them will miss."""
        self._log.write("canister", "upgraded", "its sessions are forgotten", canister_id=str(canister_id))

    def stopped(self, canister_id: Principal) -> None:
        text = "it takes no calls, and its timers rest"
        self._log.write("canister", "stopped", text, canister_id=str(canister_id))

    def started(self, canister_id: Principal) -> None:
        self._log.write("canister", "started", "it takes calls again", canister_id=str(canister_id))

    def printed(self, canister_id: Principal, at_ns: int, text: str) -> None:
        del at_ns  # the log has the protocol's now, which differs only when timers are caught up with
        self._log.write("canister", "printed", text, canister_id=str(canister_id))

    def _rejected(self, request: Request, reject: Reject) -> None:
        # Motoko's runtime passes a trap behind an await on as a reject of its own, which quotes it.
        is_trap = reject.error_code == _TRAPPED or _TRAPPED in reject.text
        kind = "trapped" if is_trap else "rejected"
        text = f"{request.method}: {reject.text}"
        self._write("canister", kind, request, text, reject_code=reject.code, error_code=reject.error_code)

    def _write(self, part: str, kind: str, request: Request, text: str, **more: Any) -> None:
        facts = {
            "method": request.method,
            "canister_id": str(request.canister_id),
            "sender": str(request.sender),
            "request_id": request.request_id.hex(),
        }
        self._log.write(part, kind, text, **facts, **more)


def _err(request: Request, reply: bytes) -> str | None:
    if request.method not in _ANSWERS_RESULT:
        return None
    try:
        return decode_result(reply)
    except DecodeError:
        return None
