from __future__ import annotations

import re
from dataclasses import replace

import pytest
from markdown_it import MarkdownIt

from icws_explore.capture import Capture, Frame, SessionInfo
from icws_explore.protocol.service_messages import CloseReason
from icws_explore.views.report.gather import gather
from icws_explore.views.report.markdown import MAX_CHARACTERS, markdown_of, report_markdown
from support.doctor_scenarios import SCENARIOS
from support.session_captures import SessionScript, healthy, hostile

RENDERER = MarkdownIt("commonmark").enable("table")
ELEMENTS = {
    "h3",
    "h4",
    "p",
    "ul",
    "li",
    "strong",
    "code",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "details",
    "summary",
}


def rendered(text: str) -> str:
    return RENDERER.render(text)


def tables(page: str) -> list[str]:
    return re.findall(r"<table>.*?</table>", page, re.DOTALL)


class TestContents:
    def test_answers_first_then_findings_with_their_evidence(self) -> None:
        text = report_markdown(SCENARIOS["NO_KEEPALIVE"]())
        assert text.startswith("### ✗ NO_KEEPALIVE\n")
        heads = re.findall(r"^#### (.*)$", text, re.MULTILINE)
        assert heads == ["Findings", "Summary", "Timing against limits", "Verification"]
        finding = text[text.index("#### Findings") : text.index("#### Summary")]
        assert "- fix: " in finding
        assert "| # | seconds |" in finding
        assert re.search(r"^\| \*\*\d+\*\* \|", finding, re.MULTILINE)

    def test_of_a_healthy_session_is_short(self) -> None:
        text = report_markdown(healthy())
        assert "✓ nothing is wrong as far as the recording tells" in text
        assert "- canister messages: 13 of 13 hold" in text
        assert "| OpenMessage after ws_open | 60 s | 1 met | 2.200 s | 57.8 s |" in text
        assert len(text) < 8_000

    def test_says_where_it_comes_from(self) -> None:
        text = report_markdown(healthy())
        environment = text[text.index("Environment") :]
        assert "- canister: `bnz7o-iuaaa-aaaaa-qaaaa-cai`" in environment
        assert "- Python: CPython" in environment
        assert "**Not in real time.**" in text

    def test_names_what_fails_and_where(self) -> None:
        text = report_markdown(hostile())
        assert re.search(r"- canister messages: \*\*\d of \d hold, 1 fail at sequence\*\*", text)
        assert "- ✗ frame 8: sequence fails" in text

    def test_several_sessions_in_a_table(self) -> None:
        capture = SessionScript(session="1").opened().capture
        bad = SessionScript(session="2").opened().app_says(4.0, "ahead", sequence_num=7)
        capture.frames += bad.capture.frames
        text = report_markdown(capture)
        assert "| `2` | 4 | yes | 0 / 1 |" in text
        assert "Sequence, session <code>2</code>" in text

    def test_of_an_empty_capture_is_one_too(self) -> None:
        assert "0 frames" in report_markdown(Capture())

    def test_can_be_redacted(self) -> None:
        text = report_markdown(healthy(), privacy="redacted")
        assert "**Redacted:**" in text
        assert "ping 1" not in text
        assert "‹record { text; nat64 }," in text


class TestAsMarkdown:
    @pytest.mark.parametrize("privacy", ["shown", "redacted", "anonymous"])
    @pytest.mark.parametrize("name", ["hostile", "healthy", "BODY_HASH", "STALE_NONCE"])
    def test_every_table_holds(self, name: str, privacy: str) -> None:
        capture = {"hostile": hostile, "healthy": healthy}.get(name, SCENARIOS.get(name, healthy))()
        page = rendered(markdown_of(gather(capture, privacy=privacy)))  # type: ignore[arg-type]  # of the three
        assert "| --" not in page
        assert tables(page)
        for table in tables(page):
            cells = {len(re.findall(r"<t[hd]\b", row)) for row in re.findall(r"<tr>.*?</tr>", table, re.DOTALL)}
            assert len(cells) == 1

    def test_nothing_from_a_peer_becomes_markup(self) -> None:
        capture = hostile()
        say = "| @dfinity #12 </details><script>x</script> ` ``` [a](http://x.y) ![i](//x.y/z) \u202e\n\n# head"
        script = SessionScript(session="`|<b>@you").opened().client_says(3.0, say).app_says(4.0, say)
        script.canister_closes(5.0, CloseReason.WRONG_SEQUENCE_NUMBER).closed(5.1, "out", 4000, say)
        capture.frames += script.capture.frames
        capture.notes.append(say)
        capture.info = replace(capture.info, gateway_url=f"wss://{say}", started_at=say, canister_id=say, app_type=say)
        text = report_markdown(capture, title=say)
        page = rendered(text).replace("<!-- -->", "\x00")
        assert set(re.findall(r"<(\w+)", page)) <= ELEMENTS
        assert page.count("<details>") == page.count("</details>") == text.count("<summary>")
        outside = re.sub(r"<code>.*?</code>", "", page, flags=re.DOTALL)
        assert not re.search(r"@\w|#\d|https?://|www\.", outside)
        assert all(character.isprintable() or character == "\n" for character in text)


class TestBounds:
    def test_stays_within_what_an_issue_takes(self) -> None:
        capture = Capture(SessionInfo(canister_id="x" * 5000, app_type="|`" * 5000))
        for number in range(150):
            script = SessionScript(session=f"{number} " + "@`|" * 50).opened()
            script.client_says(3.0, "`|@" * 2000).app_says(4.0, "|" * 3000, sequence_num=9)
            capture.frames += script.closed(5.0, "out", 4000, "`|<@" * 30).capture.frames
        capture.notes += ["<`|@" * 500] * 20
        assert len(report_markdown(capture)) < MAX_CHARACTERS

    def test_shows_less_of_each_before_it_gives_up_one(self) -> None:
        frames = [Frame(float(n), "in", "binary", b"\xff" * 20) for n in range(3000)]
        text = report_markdown(Capture(SessionInfo(), frames))
        assert len(text) < MAX_CHARACTERS
        assert "frames not shown" in text
