"""The ingress history: what became of each request, for as long as the network remembers it.

Source: interface specification, "Request status"; replica, ingress_history.rs. A request goes
received → processing → replied or rejected; its answer may be dropped ("done") when too many are
held, and all trace of it goes MAX_INGRESS_TTL after its end, never before its ingress_expiry, so
that a replayed envelope is recognised for as long as it could be accepted again.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from icws_explore.protocol import leb128
from icws_explore.protocol.canister import Outcome, Reject, Reply
from icws_explore.protocol.constants import INGRESS_WINDOW_S, NS_PER_S
from icws_explore.protocol.principal import Principal

KEPT_NS: Final = INGRESS_WINDOW_S * NS_PER_S
MAX_ANSWER_BYTES: Final = 64 * 1024 * 1024  # of replies and reject messages held at once


class Status(StrEnum):
    RECEIVED = "received"
    PROCESSING = "processing"
    REPLIED = "replied"
    REJECTED = "rejected"
    DONE = "done"

    @property
    def is_final(self) -> bool:
        return self in (Status.REPLIED, Status.REJECTED, Status.DONE)


@dataclass(frozen=True, slots=True)
class Entry:
    """One request's state. Times in ns."""

    request_id: bytes
    sender: Principal
    canister_id: Principal
    ingress_expiry_ns: int
    status: Status
    outcome: Outcome | None = None

    @property
    def answer_bytes(self) -> int:
        match self.outcome:
            case Reply(data):
                return len(data)
            case Reject():
                return len(self.outcome.text)
        return 0

    def leaves(self) -> dict[bytes, bytes]:
        """What stands under ``request_status/<id>`` in the certified state."""
        leaves = {b"status": self.status.value.encode()}
        match self.outcome:
            case Reply(data):
                leaves[b"reply"] = data
            case Reject(code, text, error_code):
                leaves[b"reject_code"] = leb128.encode(code)
                leaves[b"reject_message"] = text.encode()
                leaves[b"error_code"] = error_code.encode()
        return leaves


class IngressHistory:
    """Entries by request id."""

    def __init__(self, max_answer_bytes: int = MAX_ANSWER_BYTES) -> None:
        self._entries: dict[bytes, Entry] = {}
        self._answered: deque[bytes] = deque()  # ids whose answers are held, in order of their end
        self._forgetting: list[tuple[int, bytes]] = []  # heap of (forget_at_ns, id)
        self._max_answer_bytes = max_answer_bytes
        self._answer_bytes = 0

    def get(self, request_id: bytes) -> Entry | None:
        return self._entries.get(request_id)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def __len__(self) -> int:
        return len(self._entries)

    def receive(self, request_id: bytes, sender: Principal, canister_id: Principal, ingress_expiry_ns: int) -> Entry:
        """Take up a request that is not known yet."""
        entry = Entry(request_id, sender, canister_id, ingress_expiry_ns, Status.RECEIVED)
        self._entries[request_id] = entry
        return entry

    def finish(self, request_id: bytes, outcome: Outcome, now_ns: int) -> Entry:
        """The request was executed: its reply, or why it was rejected."""
        status = Status.REJECTED if isinstance(outcome, Reject) else Status.REPLIED
        entry = replace(self._entries[request_id], status=status, outcome=outcome)
        self._entries[request_id] = entry
        heapq.heappush(self._forgetting, (max(now_ns + KEPT_NS, entry.ingress_expiry_ns), request_id))
        self._answered.append(request_id)
        self._answer_bytes += entry.answer_bytes
        return entry

    def forget(self, now_ns: int) -> list[bytes]:
        """Forget what nobody can ask for or replay any more; returns the ids."""
        forgotten = []
        while self._forgetting and self._forgetting[0][0] <= now_ns:
            _, request_id = heapq.heappop(self._forgetting)
            self._answer_bytes -= self._entries.pop(request_id).answer_bytes
            forgotten.append(request_id)
        while self._answered and self._answered[0] not in self._entries:
            self._answered.popleft()
        return forgotten

    def drop_answers(self) -> list[Entry]:
        """While too many bytes of answers are held, the oldest become "done"; returns those."""
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
