"""The doctor's questions about a session's neighbours, and that they cost time in step with the sessions."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from icws_explore.analysis.doctor import RULES, diagnose
from icws_explore.analysis.doctor.facts import CaptureFacts
from icws_explore.analysis.doctor.lookups import Lookup, Sweep
from icws_explore.capture import Capture, PageCall
from icws_explore.lab.scenarios import SCENARIOS
from icws_explore.protocol.envelope import Envelope
from support.cost import lines_of
from support.hand_written import BEGIN_S, Place, key_of

FEW = 40
CLOSE_S = 0.1
APART_S = 100.0  # so that as many sessions overlap among few as among many
NAMES = ("SEQUENCE_GAP_DOWN", "KEEPALIVE_LATE", "OPEN_TIMEOUT", "CONNECTION_LOST", "NO_ACKS")


def clones(one: Capture, number: int, *, others: float, apart_s: float = APART_S) -> Capture:
    """``number`` times the sessions of ``one``; the share ``others`` of them with a principal of its own."""
    chance = random.Random(number)
    sender = next(Envelope.decode_frame(f.data).sender for f in one.frames if f.op == "binary" and f.direction == "out")
    assert sender is not None
    frames = []
    for turn in range(number):
        mine = chance.randbytes(len(sender.raw) - 1) + b"\x02" if chance.random() < others else sender.raw
        frames += [
            replace(f, session=f"{turn}-{f.session}", t=f.t + turn * apart_s, data=f.data.replace(sender.raw, mine))
            for f in one.frames
        ]
    return Capture(replace(one.info, crypto="stand-in"), frames)


class TestCost:
    @pytest.mark.parametrize("others", [0.0, 0.5, 1.0], ids=["one client", "a mixture", "distinct clients"])
    @pytest.mark.parametrize("name", NAMES)
    def test_the_doctor_executes_lines_in_step_with_the_sessions(self, name: str, others: float) -> None:
        one = SCENARIOS[name].run().raw
        few, many = (clones(one, number, others=others) for number in (FEW, 4 * FEW))
        diagnose(clones(one, 2, others=others))  # what is done only once
        spent = lines_of(lambda: diagnose(few), most=10_000_000)
        lines_of(lambda: diagnose(many), most=5 * spent)


class TestCostOfSessionsThatOverlap:
    """All sessions last at the same time, so each could be held against every other."""

    @pytest.mark.parametrize(
        ("name", "others"), [("PRINCIPAL_TAKEOVER", 0.0), ("PRINCIPAL_TAKEOVER", 0.5), ("STALE_NONCE", 0.0)]
    )
    def test_the_doctor_executes_lines_in_step_with_the_sessions(self, name: str, others: float) -> None:
        one = SCENARIOS[name].run().raw
        few, many, once = (clones(one, number, others=others, apart_s=CLOSE_S) for number in (FEW, 4 * FEW, 2))
        self.is_in_step(few, many, name, once=once)

    def test_a_page_s_calls_are_compared_once_for_each_canister(self) -> None:
        def pages(number: int) -> Capture:
            """A page with sockets to ``number`` canisters, which calls each as somebody else."""
            capture = Place().capture("har")
            for each in range(number):
                place = Place(canister_number=each)
                place.visit().starts().chats()
                capture.frames += [replace(frame, session=str(each)) for frame in place.capture("har").frames]
                caller = key_of(f"caller {each}").principal.text
                capture.page_calls.append(PageCall(BEGIN_S, place.canister_id.text, caller))
            return capture

        def rule(number: int) -> Callable[[], int]:
            facts = CaptureFacts(pages(number))
            assert all(session.client_key is not None for session in facts.sessions)  # these are decoded now
            return lambda: len(list(RULES["CALLER_MISMATCH"].findings(facts)))

        spent = lines_of(rule(FEW), most=1_000_000)
        lines_of(rule(4 * FEW), most=round(4.3 * spent))
        assert rule(FEW)() == FEW

    def is_in_step(self, few: Capture, many: Capture, name: str, *, once: Capture) -> None:
        """``many`` has four times the sessions of ``few``; ``once`` causes what is done only once."""
        found: list[tuple[str, ...]] = []
        diagnose(once)
        spent = lines_of(lambda: found.append(diagnose(few).ids), most=20_000_000)
        lines_of(lambda: found.append(diagnose(many).ids), most=round(4.3 * spent))
        assert all(name in ids for ids in found)


class TestSweep:
    @pytest.mark.parametrize("size", [0, 1, 2, 7, 100])
    def test_it_finds_what_a_look_at_everything_finds(self, size: int) -> None:
        chance = random.Random(size)
        entries = [(float(chance.randrange(20)), float(chance.randrange(25)), place) for place in range(size)]
        ranks = [chance.randrange(5) for _ in range(size)]
        sweep = Sweep(entries, lambda place: ranks[place], lambda place: -float(place))
        begun: list[int] = []
        for now in sorted(chance.randrange(-1, 26) for _ in range(30)):
            begun += sweep.advance(now)
            wanted = [place for t, until, place in entries if t < now < until]
            assert sorted(place for place in begun if sweep.lasts(place)) == wanted
            assert sweep.least(0) == min(wanted, key=lambda place: ranks[place], default=None)
            assert sweep.least(1) == max(wanted, default=None)
        assert len(begun) == len(set(begun))


class TestLookup:
    @pytest.mark.parametrize("size", [0, 1, 2, 3, 7, 8, 13, 100])
    def test_it_finds_what_a_look_at_everything_finds_in_the_same_order(self, size: int) -> None:
        chance = random.Random(size)
        entries = [(float(chance.randrange(20)), float(chance.randrange(20)), place) for place in range(size)]
        lookup = Lookup(entries)
        for _ in range(200):
            after, before, beyond = (chance.randrange(-1, 21) for _ in range(3))
            wanted = [place for t, reach, place in entries if after < t < before and reach > beyond]
            assert list(lookup.find(after=after, before=before, beyond=beyond)) == wanted
        assert list(lookup.find()) == list(range(size))

    def test_the_first_of_many_costs_little(self) -> None:
        lookup = Lookup((float(n), float(n % 7), n) for n in range(100_000))
        lines_of(lambda: next(lookup.find(after=10, before=90_000, beyond=5)), most=2_000)
