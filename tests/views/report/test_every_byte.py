"""The page of every byte: it has every byte of a frame once, escapes what peers sent, and is bounded."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

import icws_explore as icws
from icws_explore.analysis.annotate import annotate_frame
from icws_explore.capture import Capture
from icws_explore.protocol.errors import IcwsError
from icws_explore.views.report import every_byte
from icws_explore.views.report.byte_guide import GUIDES, part_of
from icws_explore.views.report.every_byte import byte_field, field_way, value_words
from icws_explore.views.report.file import report
from icws_explore.views.source import capture_of
from support.data_files import SESSIONS
from support.hostile_frames import hostile_frames
from support.markup import Markup
from support.session_captures import healthy, hostile

BYTES = re.compile(r'<span class="b \w+" tabindex="0"><code>([^<]*)</code>')


@pytest.fixture(scope="module")
def recorded() -> Capture:
    return capture_of(icws.load(SESSIONS / "healthy.icws"))


@pytest.fixture(scope="module")
def page(recorded: Capture) -> str:
    return report(recorded).every_byte


def frames_of(page: str) -> list[str]:
    return page.split('<details open class="frame"')[1:]


class TestBytes:
    def test_of_every_frame_are_there_once_and_in_order(self, page: str, recorded: Capture) -> None:
        frames = frames_of(page)
        assert len(frames) == len(recorded.frames)
        for html, frame in zip(frames, recorded.frames, strict=True):
            assert bytes.fromhex("".join(BYTES.findall(html))) == frame.data

    def test_each_says_where_it_is_and_most_what_it_means(self, page: str, recorded: Capture) -> None:
        text = Markup(page).text
        assert "envelope › content › method_name ws_open opens the session" in text
        assert "bytes 148–155 (8 bytes), text(7)" in text
        assert "58 20: byte string, 32 bytes" in text
        leaves = [leaf for frame in recorded.frames for leaf in annotate_frame(frame).leaves() if leaf.end]
        assert page.count('class="x"') == len(leaves)

    def test_can_be_reached_with_the_keyboard(self, page: str) -> None:
        assert page.count('tabindex="0"') == page.count('class="x"') > 1000


class TestProof:
    def test_each_step_is_at_the_part_that_it_checks(self, page: str) -> None:
        frame = frames_of(page)[8]
        parts = re.split(r"<h3>", frame)[1:]
        steps = {part.partition(" <small>")[0]: re.findall(r"<b>. (\w+)</b>", part) for part in parts}
        assert steps == {
            "The frame": ["parse"],
            "Key of the message": [],
            "Content of the message": ["body", "sequence", "client_key"],
            "The certificate": [],
            "Tree of the certificate": ["time", "certified_data"],
            "Signature of the certificate": ["signature"],
            "Delegation to the subnet": ["delegation"],
            "The witness": ["lookup"],
        }

    def test_a_failing_step_shows_both_sides(self) -> None:
        made = report(icws.load(SESSIONS / "tampered_body.icws")).every_byte
        frame = Markup(f"<p>{frames_of(made)[8].partition('>')[2].rpartition('</details>')[0]}</p>").text
        assert "✗ body failed" in frame
        assert "expected 0x1b2544ea" in frame
        assert "– sequence not checked" in frame

    def test_a_step_without_its_part_is_shown_at_the_end(self, page: str) -> None:
        frame = frames_of(page)[1]
        assert re.findall(r"<b>. (\w+)</b>", frame.split("Further checks")[1]) == ["delegation"]

    def test_what_was_not_checked_is_said(self, recorded: Capture) -> None:
        unknown = Capture(replace(recorded.info, root_key=None), recorded.frames)
        assert "Not checked:" in Markup(report(unknown).every_byte).text


class TestPage:
    def test_loads_nothing_and_runs_nothing(self, page: str) -> None:
        markup = Markup(page)
        assert "script" not in markup.tags
        assert markup.handlers == []
        assert re.findall(r"""(?:src|href)=["'](?!#)|url\(|@import""", page) == []
        assert "default-src 'none'" in page

    def test_leads_to_every_frame(self, page: str) -> None:
        markup = Markup(page)
        targets = [name for name in markup.attributes("id") if name.startswith("frame-")]
        assert [href[1:] for href in markup.attributes("href")] == targets

    def test_escapes_what_peers_sent(self) -> None:
        made = report(hostile(), title="<script>alert('title')</script>").every_byte
        markup = Markup(made)
        assert not {"script", "img"} & markup.tags
        assert markup.handlers == []
        assert "\u202e" not in made
        assert "\x1b" not in made
        assert "This frame does not follow the protocol" in markup.text

    def test_needs_the_bytes(self) -> None:
        with pytest.raises(IcwsError, match="leaves the bytes out"):
            _ = report(healthy(), redact=True).every_byte


class TestLimits:
    def test_of_a_long_recording_the_ends_are_shown(self, recorded: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(every_byte, "MAX_FRAMES", 6)
        made = report(recorded).every_byte
        numbers = re.findall(r'class="frame" id="frame-(\d+)"', made)
        assert numbers == ["0", "1", "2", "14", "15", "16"]
        assert made.count("11 frames left out, because the page is limited") == 2

    def test_a_full_page_says_which_frames_it_lacks(self, recorded: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(
            every_byte._Budget, "__init__", lambda self: setattr(self, "fields", 50) or setattr(self, "bytes", 500)
        )
        made = report(recorded).every_byte
        frames = frames_of(made)
        assert "The page is full: the 1503 bytes of this frame are not shown." in frames[2]
        assert BYTES.findall(frames[2]) == []
        assert "The page is full" not in frames[1]

    def test_a_frame_of_many_fields_is_cut(self, recorded: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(every_byte, "MAX_FRAME_FIELDS", 10)
        assert re.search(r"147 more fields \(\d+ bytes\) not shown", frames_of(report(recorded).every_byte)[2])

    def test_a_long_field_is_cut(self, recorded: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(every_byte, "MAX_FIELD_BYTES", 8)
        assert "78 54 6b 65 62 72 68 2d … 78 more bytes" in report(recorded).every_byte

    def test_a_recording_of_hostile_frames_makes_a_bounded_page(self) -> None:
        frames = [frame for _, frame in hostile_frames() if len(frame.data) < 200_000]
        assert len(frames) > 10
        made = report(Capture(healthy().info, frames)).every_byte
        assert Markup(made).handlers == []
        assert len(made) < 12_000_000


class TestWords:
    @pytest.mark.parametrize(
        ("path", "way"),
        [
            (
                "cert.tree.left.left.canister.bnz7o-iuaaa-aaaaa-qaaaa-cai:label",
                "cert › tree › canister › bnz7o-iuaaa-aaaaa-qaaaa-cai › label",
            ),
            ("tree.right.pruned", "tree › pruned"),
            (":head", "head"),
            ("", ""),
            (f"key.{'x' * 40}", f"key › {'x' * 12}…{'x' * 12}"),
            ("a\u202eb", "a\\u202eb"),
        ],
    )
    def test_the_way_to_a_field(self, path: str, way: str) -> None:
        assert field_way(path) == way

    @pytest.mark.parametrize(
        ("value", "words"),
        [
            (None, ""),
            (True, "true"),
            (False, "false"),
            (b"\x01", "0x01"),
            (5, "5"),
            ("a\nb", "a\\nb"),
            ("x" * 400, "x" * 299 + "…"),
        ],
    )
    def test_a_value(self, value: object, words: str) -> None:
        assert value_words(value) == words

    def test_every_part_is_found_by_its_own_path(self) -> None:
        assert [name for name in GUIDES if name and part_of(f"{name}:head") != name] == []
        assert part_of("something.else") == "other"

    def test_the_guide_names_every_step_of_a_proof(self) -> None:
        from icws_explore.protocol.verify import MESSAGE_STEPS

        named = {step for guide in GUIDES.values() for step in guide.steps}
        assert set(MESSAGE_STEPS) <= named

    def test_a_fault_is_marked(self) -> None:
        frame = hostile().frames[-4]
        leaf = next(leaf for each in hostile().frames for leaf in annotate_frame(each).leaves() if leaf.fault)
        assert byte_field(leaf, frame.data).looks == "fault"
