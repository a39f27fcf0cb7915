"""A lab notes what its gateways and canisters did with each message, and a picture of all parties can be made of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

import icws_explore as icws
from icws_explore.analysis.passages import Passage, passages
from icws_explore.lab import Lab
from icws_explore.lab.faults import Faults
from icws_explore.lab.sightings import MAX_BYTES, SightingLog
from icws_explore.live.path import Delivery
from icws_explore.protocol.principal import Principal
from support.session_captures import healthy

WAIT_S = 60.0


class Dropping(Faults):
    """The gateway forgets the third message in one direction. Downwards, the first one is its handshake."""

    def __init__(self, direction: str) -> None:
        self.direction = direction
        self.count = 0

    def relay(self, direction: str, data: bytes) -> list[Delivery]:
        self.count += direction == self.direction
        return [] if direction == self.direction and self.count == 3 else [Delivery(data)]


@pytest.fixture
def lab_with() -> Iterator[Callable[[Faults | None], Lab]]:
    labs: list[Lab] = []

    def start(faults: Faults | None = None) -> Lab:
        labs.append(Lab(app="echo", time_scale=60, seed=5, faults=faults).start())
        return labs[-1]

    yield start
    for lab in labs:
        lab.stop()


async def said(lab: Lab, texts: list[str], *, answers: int) -> list[Passage]:
    """The messages of a client that says ``texts`` and waits for that many answers."""
    session = await icws.connect(lab)
    for text in texts:
        await session.send({"text": text})
    for _ in range(answers):
        await session.receive(timeout=WAIT_S)
    found = passages(session.recording.raw, lab.sightings).messages
    await session.close()
    return [message for message in found if message.kind in ("message", "app")]


@pytest.mark.timeout(120)
class TestOfALab:
    async def test_have_the_times_of_every_party(self, lab_with: Callable[..., Lab]) -> None:
        messages = await said(lab_with(), ["a", "b"], answers=2)
        assert len(messages) == 4
        for message in messages:
            assert len(message.times) == 3, message
            assert message.times == tuple(sorted(message.times))
            assert message.lost is None

    async def test_show_a_call_that_the_gateway_dropped(self, lab_with: Callable[..., Lab]) -> None:
        messages = await said(lab_with(Dropping("up")), ["a", "b", "c"], answers=1)
        dropped = next(m for m in messages if m.outward and m.sequence_num == 2)
        assert dropped.gateway_s is not None
        assert dropped.canister_s is None
        refused = next(m for m in messages if m.outward and m.sequence_num == 3)
        assert refused.why == "" or "Expected incoming sequence number" in refused.why

    async def test_show_a_message_that_it_dropped_downwards(self, lab_with: Callable[..., Lab]) -> None:
        lab = lab_with(Dropping("down"))
        session = await icws.connect(lab)
        for text in ("a", "b"):
            await session.send({"text": text})
        with pytest.raises(icws.SessionClosedError):
            await session.receive(timeout=WAIT_S)  # the gap ends the session
        found = passages(session.recording.raw, lab.sightings).messages
        lost = [m for m in found if m.lost == "gateway to client"]
        assert [m.sequence_num for m in lost] == [2]

    async def test_name_what_waits_in_the_queue(self, lab_with: Callable[..., Lab]) -> None:
        lab = lab_with()
        session = await icws.connect(lab)
        await session.send({"text": "a"})
        await session.receive(timeout=WAIT_S)
        kept = {(s.client_key, s.key) for s in lab.sightings if s.event == "queued"}
        polled = {(s.client_key, s.key) for s in lab.sightings if s.event == "polled"}
        assert kept  # the canister deletes messages only when it sends others
        assert kept <= polled
        assert not any(m.is_waiting for m in passages(session.recording.raw, lab.sightings).messages)
        await session.close()

    async def test_stay_after_its_end(self, lab_with: Callable[..., Lab]) -> None:
        lab = lab_with()
        await said(lab, ["a"], answers=1)
        lab.stop()
        assert {s.event for s in lab.sightings} == {"relayed", "answered", "executed", "polled"}


class TestLog:
    def test_leaves_out_what_is_no_message(self) -> None:
        log, frames = SightingLog(), healthy().frames
        log.saw(1, "polled", Principal(b"g"), frames[0].data)  # the handshake
        log.saw(2, "polled", Principal(b"g"), frames[2].data)
        log.saw(3, "relayed", Principal(b"g"), b"garbage")
        assert [sighting.t for sighting in log.sightings()] == [2e-9]
        assert log.sightings()[0] is log.sightings()[0]

    def test_drops_the_oldest(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("icws_explore.lab.sightings.MAX_SEEN", 2)
        log, data = SightingLog(), healthy().frames[2].data
        for at in range(3):
            log.saw(at, "polled", Principal(b"g"), data)
        assert [round(sighting.t * 1e9) for sighting in log.sightings()] == [1, 2]
        log.saw(9, "polled", Principal(b"g"), bytes(MAX_BYTES))
        log.saw(10, "polled", Principal(b"g"), data)
        assert [round(sighting.t * 1e9) for sighting in log.sightings()] == [10]
