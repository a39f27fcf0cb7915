"""The ingress history: the status of each call, for as long as the replica remembers it.

The status of a call goes from received to replied or rejected. When the replica holds too many bytes of replies, it
drops the oldest ones; their status becomes "done". An entry is forgotten MAX_INGRESS_TTL after the end of the call, but
never before the call's ingress_expiry: until then a copy of the envelope would be accepted again, so the replica must
still recognise it.

Sources: interface specification, "Request status"; replica, ingress_history.rs.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from icws_explore.protocol import leb128
from icws_explore.protocol.budgets import LAB_ANSWERS as MAX_ANSWER_BYTES
from icws_explore.protocol.canister import Outcome, Reject, Reply
from icws_explore.protocol.constants import INGRESS_WINDOW_S, NS_PER_S
from icws_explore.protocol.principal import Principal

KEPT_NS: Final = INGRESS_WINDOW_S * NS_PER_S


class Status(StrEnum):
    """The status of a call. "processing" is missing: the lab executes a call in one step."""

    RECEIVED = "received"
    REPLIED = "replied"
    REJECTED = "rejected"
    DONE = "done"

    @property
    def is_final(self) -> bool:
        """Whether the call has been executed."""
        return self in (Status.REPLIED, Status.REJECTED, Status.DONE)


@dataclass(frozen=True, slots=True)
class Entry:
    """The state of one call. ``ingress_expiry_ns`` is in nanoseconds since the epoch."""

    request_id: bytes
    sender: Principal
    canister_id: Principal
    ingress_expiry_ns: int
    status: Status
    outcome: Outcome | None = None

    @property
    def answer_bytes(self) -> int:
        """The size of the reply or of the reject message in bytes."""
        match self.outcome:
            case Reply(data):
                return len(data)
            case Reject():
                return len(self.outcome.text)
        return 0

    def leaves(self) -> dict[bytes, bytes]:
        """Return the content of ``/request_status/<id>`` in the certified state."""
        leaves = {b"status": self.status.value.encode()}
        match self.outcome:
            case Reply(data):
                leaves[b"reply"] = data
            case Reject(code, text, error_code):
                leaves[b"reject_code"] = leb128.encode_unsigned(code)
                leaves[b"reject_message"] = text.encode()
                leaves[b"error_code"] = error_code.encode()
        return leaves


class IngressHistory:
    """The entries by request id. Holds at most ``max_answer_bytes`` of replies and reject messages."""

    def __init__(self, max_answer_bytes: int = MAX_ANSWER_BYTES) -> None:
        self._entries: dict[bytes, Entry] = {}
        self._answered: deque[bytes] = deque()  # ids of calls whose reply is held, in the order of execution
        self._forgetting: list[tuple[int, bytes]] = []  # heap of (forget_at_ns, id)
        self._max_answer_bytes = max_answer_bytes
        self._answer_bytes = 0

    def get(self, request_id: bytes) -> Entry | None:
        """Return the entry of a call; None if the replica does not know it."""
        return self._entries.get(request_id)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def __len__(self) -> int:
        return len(self._entries)

    def receive(self, request_id: bytes, sender: Principal, canister_id: Principal, ingress_expiry_ns: int) -> Entry:
        """Add a call that the history does not have yet."""
        entry = Entry(request_id, sender, canister_id, ingress_expiry_ns, Status.RECEIVED)
        self._entries[request_id] = entry
        return entry

    def finish(self, request_id: bytes, outcome: Outcome, now_ns: int) -> Entry:
        """Record the outcome of a call that was executed at ``now_ns``. Returns the new entry."""
        status = Status.REJECTED if isinstance(outcome, Reject) else Status.REPLIED
        entry = replace(self._entries[request_id], status=status, outcome=outcome)
        self._entries[request_id] = entry
        heapq.heappush(self._forgetting, (max(now_ns + KEPT_NS, entry.ingress_expiry_ns), request_id))
        self._answered.append(request_id)
        self._answer_bytes += entry.answer_bytes
        return entry

    def forget(self, now_ns: int) -> list[bytes]:
        """Remove the entries whose time has passed. Returns their request ids."""
        forgotten = []
        while self._forgetting and self._forgetting[0][0] <= now_ns:
            _, request_id = heapq.heappop(self._forgetting)
            self._answer_bytes -= self._entries.pop(request_id).answer_bytes
            forgotten.append(request_id)
        while self._answered and self._answered[0] not in self._entries:
            self._answered.popleft()
        return forgotten

    def drop_answers(self) -> list[Entry]:
        """Drop the oldest replies while there are too many bytes of them. Returns the entries that became "done"."""
        dropped = []
        while self._answer_bytes > self._max_answer_bytes:
            entry = self._entries.get(self._answered.popleft())
            if entry is None:
                continue
            self._answer_bytes -= entry.answer_bytes
            entry = replace(entry, status=Status.DONE, outcome=None)
            self._entries[entry.request_id] = entry
            dropped.append(entry)
        return dropped
