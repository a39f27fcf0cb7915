"""The data that the real Motoko CDK certified, for each step whose held messages the trace determines.

A trace shows the certified data after every step and the contents of the messages that were polled.
A canister holds a run of consecutive messages for each gateway: it adds at the end and removes at the
start. From step to step only a few runs are possible, and the root hash shows which one is right.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from icws_explore.protocol.canister.certified_map import CertifiedMap

MOST_CANDIDATES = 300


@dataclass(frozen=True, slots=True)
class Message:
    timestamp_ns: int
    key: bytes
    digest: bytes


@dataclass(slots=True)
class Held:
    """All messages of one gateway in order; the canister holds those from ``start`` to ``end``."""

    messages: list[Message]
    start: int = 0
    end: int = 0

    def choices(self, now_ns: int) -> list[tuple[list[Message], list[Message]]]:
        """The possible removals and additions until ``now_ns``, smallest changes first."""
        added = [message for message in self.messages[self.end :] if message.timestamp_ns <= now_ns]
        found = [
            (self.messages[self.start : start], added[: end - self.end])
            for end in range(self.end, self.end + len(added) + 1)
            for start in range(self.start, end + 1)
        ]
        return sorted(found, key=lambda change: len(change[0]) + len(change[1]))


@dataclass(slots=True)
class Replay:
    """``certified`` is the canister's map; ``followed`` counts the changes of its certified data."""

    trace: dict[str, Any]
    certified: CertifiedMap = field(default_factory=CertifiedMap)
    followed: int = 0

    def steps(self) -> Iterator[dict[str, Any]]:
        """Each step whose messages are known; ``certified`` then holds them."""
        queues = _polled(self.trace)
        for step in self.trace["steps"]:
            wanted = step["certified_data_hex"]
            if wanted and wanted != self.certified.root_hash.hex():
                if not self._follow(queues, int(step.get("advance_to_ns", step["at_ns"])), wanted):
                    continue  # it holds a message that nobody polled; a step after its removal matches again
                self.followed += 1
            yield step

    def _follow(self, queues: list[Held], now_ns: int, wanted: str) -> bool:
        changes = itertools.product(*(queue.choices(now_ns) for queue in queues))
        for change in itertools.islice(changes, MOST_CANDIDATES):
            candidate = self.certified
            for removed, added in change:
                for message in added:
                    candidate = candidate.insert(message.key, message.digest)
                for message in removed:
                    candidate = candidate.remove(message.key)
            if candidate.root_hash.hex() == wanted:
                self.certified = candidate
                for queue, (removed, added) in zip(queues, change, strict=True):
                    queue.start += len(removed)
                    queue.end += len(added)
                return True
        return False


def _polled(trace: dict[str, Any]) -> list[Held]:
    seen: dict[bytes, dict[tuple[int, bytes], Message]] = {}
    for step in trace["steps"]:
        reply = step.get("reply")
        for message in reply.get("messages", []) if isinstance(reply, dict) else []:
            key, timestamp_ns = message["key"].encode(), int(message["decoded"]["timestamp"])
            digest = sha256(bytes.fromhex(message["content_hex"])).digest()
            seen.setdefault(key.split(b"_")[0], {})[timestamp_ns, key] = Message(timestamp_ns, key, digest)
    return [Held([messages[order] for order in sorted(messages)]) for messages in seen.values()]
