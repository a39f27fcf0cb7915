"""What a rule asks about a session's neighbours, answered without looking at every session again.

A rule that holds each session against all others takes time with the square of their number. Here the sessions are
sorted once, on first use, so that a question costs time with the logarithm of their number and with the answer's
length. An answer is in the order of the recording, as if all sessions had been looked at.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from heapq import heapify, heappop, heappush
from itertools import islice
from math import inf
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from icws_explore.protocol.principal import Principal

from ..decode import DecodedFrame

if TYPE_CHECKING:
    from .facts import CanisterClient, Path, SessionFacts

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)

__all__ = ["Lookup", "Neighbours", "Sweep", "lookups"]


class Lookup(Generic[T]):
    """Things that each have a time, and a ``reach`` up to which they count; found by both, in the order given.

    It is a tree over the sorted times. Each node knows the first and the farthest reaching thing below it, so
    that `find` leaves out branches that hold nothing.
    """

    def __init__(self, entries: Iterable[tuple[float, float, T]]) -> None:
        """``entries`` are the time, the reach and the thing."""
        ordered = sorted(enumerate(entries), key=lambda pair: pair[1][0])
        size: Final = len(ordered)
        self._times = [t for _, (t, _, _) in ordered]
        self._things = [thing for _, (_, _, thing) in ordered]
        self._first = [0] * size + [place for place, _ in ordered]  # node n is above the nodes 2n and 2n + 1
        self._reach = [0.0] * size + [reach for _, (_, reach, _) in ordered]
        for node in range(size - 1, 0, -1):
            self._first[node] = min(self._first[2 * node], self._first[2 * node + 1])
            self._reach[node] = max(self._reach[2 * node], self._reach[2 * node + 1])

    def find(self, *, after: float = -inf, before: float = inf, beyond: float = -inf) -> Iterator[T]:
        """What has its time between ``after`` and ``before``, and reaches beyond ``beyond``; the bounds excluded."""
        size = len(self._times)
        low, high = size + bisect_right(self._times, after), size + bisect_left(self._times, before)
        nodes = []
        while low < high:
            if low % 2:
                nodes.append(low)
                low += 1
            if high % 2:
                high -= 1
                nodes.append(high)
            low, high = low // 2, high // 2
        heap = [(self._first[node], node) for node in nodes if self._reach[node] > beyond]
        heapify(heap)
        while heap:
            _, node = heappop(heap)
            if node >= size:
                yield self._things[node - size]
                continue
            for below in (2 * node, 2 * node + 1):
                if self._reach[below] > beyond:
                    heappush(heap, (self._first[below], below))


def lookups(entries: Iterable[tuple[K, float, float, T]]) -> dict[K, Lookup[T]]:
    """A `Lookup` for each key; ``entries`` are the key, the time, the reach and the thing."""
    found: dict[K, list[tuple[float, float, T]]] = {}
    for key, t, reach, thing in entries:
        found.setdefault(key, []).append((t, reach, thing))
    return {key: Lookup(those) for key, those in found.items()}


class Sweep(Generic[K]):
    """Things that each last from one time to another, looked at as time goes on; by their ranks.

    Each thing is taken up once and dropped once, so a sweep over all times costs time in step with the things (times
    the logarithm of their number), however many of them last at the same time.
    """

    def __init__(self, entries: Iterable[tuple[float, float, K]], *ranks: Callable[[K], float]) -> None:
        """``entries`` are the time of the beginning, that of the end, and the thing; ``ranks`` are called once each."""
        self._entries = sorted(enumerate(entries), key=lambda pair: pair[1][0])
        self._ranks = ranks
        self._heaps: list[list[tuple[float, int, float, K]]] = [[] for _ in ranks]
        self._until: dict[K, float] = {}
        self._next = 0
        self._now = -inf

    def advance(self, now: float) -> list[K]:
        """Go on to ``now``, which is not before the last one. Returns what has begun since, and lasts."""
        self._now = now
        begun: list[K] = []
        while self._next < len(self._entries) and self._entries[self._next][1][0] < now:
            place, (_, until, thing) = self._entries[self._next]
            self._next += 1
            if until > now:
                begun.append(thing)
                self._until[thing] = until
                for heap, rank in zip(self._heaps, self._ranks, strict=True):
                    heappush(heap, (rank(thing), place, until, thing))
        return begun

    def lasts(self, thing: K) -> bool:
        """Whether a thing that has begun has not ended."""
        return self._until[thing] > self._now

    def least(self, rank: int) -> K | None:
        """What lasts and has the least value of the rank with that number; of several the first in the order given."""
        heap = self._heaps[rank]
        while heap and heap[0][2] <= self._now:
            heappop(heap)
        return heap[0][3] if heap else None


_NOTHING: Final[Lookup[SessionFacts]] = Lookup([])


class Neighbours:
    """The other sessions of a session's client, gateway or canister. All times are seconds since the epoch."""

    def __init__(self, sessions: Sequence[SessionFacts]) -> None:
        self._sessions = sessions

    def opened_before(self, session: SessionFacts) -> SessionFacts | None:
        """The last of the same client's sessions that opened and began earlier."""
        earlier = self._opened_by_client.get(session.client, _NOTHING) if session.client else _NOTHING
        return next(earlier.find(before=session.began), None)

    def next_of_client(self, session: SessionFacts) -> SessionFacts | None:
        """The first of the same client's sessions that began later."""
        later = self._by_client.get(session.client, _NOTHING) if session.client else _NOTHING
        return next(later.find(after=session.began), None)

    def is_only_client_unanswered(self, session: SessionFacts) -> bool:
        """Whether no session of another client is unanswered."""
        return session.client is not None and all(client == session.client for client in self._unanswered_clients)

    def is_only_of_client(self, session: SessionFacts) -> bool:
        """Whether the recording holds no other session of the same client."""
        return session.client is None or self._count_by_client[session.client] == 1

    def next_at_gateway(self, gateway: Principal | None, after: float) -> SessionFacts | None:
        """The next session of that gateway after that time."""
        return next(self._by_gateway.get(gateway, _NOTHING).find(after=after), None)

    def outlive(self, group: Sequence[SessionFacts]) -> int:
        """How many other sessions of that gateway began before the group ended and received something afterwards.

        More than there are in the group are not counted.
        """
        began, heard = group[0].last, max(session.last for session in group)
        named = {session.name for session in group}
        found = self._by_gateway.get(group[0].gateway, _NOTHING).find(before=began, beyond=heard)
        return sum(1 for _ in islice((each for each in found if each.name not in named), len(group) + 1))

    def goes_on_at_path(self, group: Sequence[SessionFacts], *, began: float, heard: float) -> bool:
        """The same for sessions of the group's gateway and canister that opened."""
        return _has_other(self._heard_by_path.get(group[0].path, _NOTHING).find(before=began, beyond=heard), group)

    def open_as_time_goes_on(self, path: Path, *ranks: Callable[[SessionFacts], float]) -> Sweep[SessionFacts]:
        """The sessions of that gateway and canister, from when they opened until they ended.

        A session without an end goes on, except in a HAR, which holds no ends.
        """
        return Sweep(self._open_by_path.get(path, ()), *ranks)

    def unanswered_at(self, path: Path) -> Sequence[SessionFacts]:
        """The sessions of that gateway and canister whose ws_open had no answer."""
        return self._unanswered_by_path.get(path, ())

    def ack_of_other(self, session: SessionFacts, *, opened: float, after: float, before: float) -> DecodedFrame | None:
        """An ack of the same canister to another session that opened before ``opened``, between the other two times."""
        acks = self._acks_by_canister.get(session.asked_canister)
        found = () if acks is None else acks.find(after=after, before=before, beyond=-opened)
        return next((ack for other, ack in found if other is not session), None)

    @cached_property
    def _by_client(self) -> Mapping[CanisterClient, Lookup[SessionFacts]]:
        return lookups((each.client, each.began, 0.0, each) for each in self._sessions if each.client is not None)

    @cached_property
    def _opened_by_client(self) -> Mapping[CanisterClient, Lookup[SessionFacts]]:
        """The last one first."""
        opened = (each for each in reversed(self._sessions) if each.opened is not None)
        return lookups((each.client, each.began, 0.0, each) for each in opened if each.client is not None)

    @cached_property
    def _count_by_client(self) -> Mapping[CanisterClient, int]:
        return Counter(each.client for each in self._sessions if each.client is not None)

    @cached_property
    def _unanswered_clients(self) -> frozenset[CanisterClient | None]:
        return frozenset(each.client for each in self._sessions if each.is_unanswered)

    @cached_property
    def _by_gateway(self) -> Mapping[Principal | None, Lookup[SessionFacts]]:
        """In the order in which they began."""
        ordered = sorted(self._sessions, key=lambda each: each.began)
        return lookups((each.gateway, each.began, each.last_heard, each) for each in ordered)

    @cached_property
    def _heard_by_path(self) -> Mapping[Path, Lookup[SessionFacts]]:
        return lookups((each.path, each.began, each.last_heard, each) for each in self._opened)

    @cached_property
    def _open_by_path(self) -> Mapping[Path, Sequence[tuple[float, float, SessionFacts]]]:
        found: dict[Path, list[tuple[float, float, SessionFacts]]] = {}
        for each in self._opened:
            found.setdefault(each.path, []).append((_opened_at(each), _open_until(each), each))
        return found

    @cached_property
    def _unanswered_by_path(self) -> Mapping[Path, Sequence[SessionFacts]]:
        found: dict[Path, list[SessionFacts]] = {}
        for each in self._sessions:
            if each.is_unanswered:
                found.setdefault(each.path, []).append(each)
        return found

    @cached_property
    def _acks_by_canister(self) -> Mapping[Principal | None, Lookup[tuple[SessionFacts, DecodedFrame]]]:
        """The reach is the negated time at which the session opened."""
        return lookups(
            (each.asked_canister, ack.frame.t, -_opened_at(each), (each, ack))
            for each in self._sessions
            for ack in each.acks
        )

    @property
    def _opened(self) -> Iterator[SessionFacts]:
        return (each for each in self._sessions if each.opened is not None)


def _has_other(found: Iterable[SessionFacts], group: Sequence[SessionFacts]) -> bool:
    members = set(group)
    return any(session not in members for session in found)


def _opened_at(session: SessionFacts) -> float:
    return (session.opened or session.frames[0]).frame.t


def _open_until(session: SessionFacts) -> float:
    goes_on = session.end is None and session.facts.capture.info.origin != "har"
    return inf if goes_on else session.last
