from __future__ import annotations

from icws_explore.notebook.explorer.frame_index import FrameIndex
from icws_explore.notebook.explorer.related import MAX_LINKS, Relations, link_text
from support.explorer_scene import growing, indexed
from support.network_side import answered, ok
from support.session_captures import SessionScript, healthy, hostile
from support.timing_captures import never_opened, silent, still_open, unacked


def of_kind(index: FrameIndex, kind: str, nth: int = 0) -> int:
    return [decoded.number for decoded in index.frames if decoded.kind == kind][nth]


class TestLinks:
    def test_lead_both_ways(self) -> None:
        index = indexed(healthy())
        relations = Relations(index)
        asked, opened = of_kind(index, "open_request"), of_kind(index, "open")
        assert ("is answered by the open in", opened) in [
            (link.relation, link.frame) for link in relations.links(asked)
        ]
        assert ("answers the ws_open in", asked) in [(link.relation, link.frame) for link in relations.links(opened)]

    def test_of_an_ack_name_what_it_covers_and_its_keep_alive(self) -> None:
        index = indexed(healthy())
        relations = Relations(index)
        ack, alive = of_kind(index, "ack"), of_kind(index, "keep_alive")
        found = relations.links(ack)
        assert ("is answered by the keep-alive in", alive) in [(link.relation, link.frame) for link in found]
        for covered in [link.frame for link in found if link.relation == "acknowledges"]:
            back = [(link.relation, link.frame) for link in relations.links(covered)]
            assert ("is acknowledged by the ack in", ack) in back
        assert ("answers the ack in", ack) in [(link.relation, link.frame) for link in relations.links(alive)]

    def test_of_a_large_ack_are_few(self) -> None:
        script = SessionScript().opened()
        for at in range(30):
            script.client_says(3.0 + at, "x")
        index = indexed(script.acked(100.0).capture)
        found = [link for link in Relations(index).links(of_kind(index, "ack")) if link.relation == "acknowledges"]
        assert len(found) == MAX_LINKS
        assert found[-1].more == 30 - MAX_LINKS
        assert link_text(index, found[-1]).endswith(f"and {30 - MAX_LINKS} more frames")

    def test_lead_to_the_network_side(self) -> None:
        whole = healthy()
        sent = next(decoded.number for decoded in indexed(whole).frames if decoded.kind == "message")
        index = indexed(answered(whole, {sent: ok()}))
        relations = Relations(index)
        message = of_kind(index, "message")
        relayed = next(link.frame for link in relations.links(message) if link.relation.startswith("was relayed"))
        assert index.frames[relayed].frame.op == "request"
        assert ("relays the client's", message) in [(link.relation, link.frame) for link in relations.links(relayed)]

    def test_show_no_control_character_of_a_peer(self) -> None:
        index = indexed(hostile())
        relations = Relations(index)
        texts = [link_text(index, link) for frame in index.frames for link in relations.links(frame.number)]
        assert all(text.isprintable() for text in texts)


class TestNeighbours:
    def test_are_those_of_the_session(self) -> None:
        index = indexed(healthy())
        last = len(index.frames) - 1
        relations = Relations(index)
        assert relations.neighbours(0) == (None, 1)
        assert relations.neighbours(last) == (last - 1, None)


class TestDeadlines:
    def roles(self, index: FrameIndex, number: int) -> list[tuple[str, str]]:
        return [
            (deadline.role, deadline.name.partition(" time-out")[0]) for deadline in Relations(index).deadlines(number)
        ]

    def test_start_and_stop(self) -> None:
        index = indexed(healthy())
        assert ("starts", "open") in self.roles(index, of_kind(index, "open_request"))
        assert ("stops", "open") in self.roles(index, of_kind(index, "open"))
        assert ("starts", "ack") in self.roles(index, of_kind(index, "message"))
        assert {("stops", "ack"), ("starts", "keep-alive")} <= set(self.roles(index, of_kind(index, "ack")))
        assert ("stops", "keep-alive") in self.roles(index, of_kind(index, "keep_alive"))

    def test_that_were_missed_say_so(self) -> None:
        weights = set()
        for capture in (never_opened(), unacked(), silent()):
            index = indexed(capture)
            relations = Relations(index)
            weights |= {deadline.weight for frame in index.frames for deadline in relations.deadlines(frame.number)}
        assert "bad" in weights

    def test_follow_a_session_that_grows(self) -> None:
        whole = healthy()
        kinds = [decoded.kind for decoded in indexed(whole).frames]
        capture, until = growing(whole, begin=kinds.index("ack"))
        index = indexed(capture)
        relations = Relations(index)
        message = kinds.index("message")
        assert [deadline.outcome for deadline in relations.deadlines(message)] == ["still runs"]
        until(len(whole))
        index.take()
        assert relations.deadlines(message)[0].outcome.startswith("met after")
        assert relations.deadlines(message)[0].frame == kinds.index("ack")

    def test_that_still_run_are_said_to(self) -> None:
        index = indexed(still_open())
        relations = Relations(index)
        found = [deadline for frame in index.frames for deadline in relations.deadlines(frame.number)]
        assert [deadline.weight for deadline in found if deadline.outcome == "still runs"]
