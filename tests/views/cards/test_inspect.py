"""`icws.inspect`: all fields and all bytes, escaped, bounded, and tied together by style rules."""

import re
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

import icws_explore as icws
from icws_explore.analysis.annotate import annotate_frame
from icws_explore.analysis.decode import application_type, decode_frame, decode_frames
from icws_explore.capture import Frame, load
from icws_explore.protocol import candid
from icws_explore.protocol.messages import CanisterMessage, ClientKey, WebsocketMessage
from icws_explore.protocol.principal import Principal
from icws_explore.views.cards.inspect import BYTES_A_ROW, inspect_view, pane_tree, row_offsets


def shown_bytes(html):
    grid = html[html.index('class="icws-hex-grid"') : html.index('class="icws-hex-ascii"')]
    return bytes.fromhex("".join(re.findall(r"<i>([0-9a-f]{2})</i>", grid)))


def shown_text(html):
    return "".join(re.findall(r"<i>(.)</i>", unescape(html[html.index('class="icws-hex-ascii"') :])))


class TestFieldsAndBytes:
    def test_shows_every_byte_of_every_real_frame(self, recorded):
        capture = load(recorded)
        for decoded in decode_frames(capture):
            view = inspect_view(decoded, app_type=application_type(capture))
            assert shown_bytes(view.html) == decoded.frame.data
            assert len(shown_text(view.html)) == len(decoded.frame.data)

    def test_shows_printable_bytes_as_text(self):
        content = candid.encode([candid.TEXT], ["ping <&>"])
        assert "·ping <&>" in shown_text(inspect_view(decode_frame(Frame(1.0, "in", "binary", content))).html)

    def test_has_a_style_rule_for_each_field(self, recorded):
        html = inspect_view(next(decode_frames(load(recorded)))).html
        for number in set(re.findall(r'<span class="h(\d+)">', html)):
            assert f".h{number}{{background" in html
            assert f'class="t{number}' in html

    def test_hides_the_encoding_until_it_is_asked_for(self, recorded):
        html = inspect_view(list(decode_frames(load(recorded)))[1]).html
        assert html.count('<input type="checkbox">') == 1
        assert "icws-form" in html

    def test_a_part_that_only_wraps_a_field_has_no_line(self, recorded):
        capture = load(recorded)
        decoded = next(d for d in decode_frames(capture) if d.kind == "app")
        root = pane_tree(annotate_frame(decoded.frame), decoded.frame.data)
        (content,) = [node for node in root.walk() if node.name == "content" and node.type.startswith("bytes(183")]
        assert "content" not in [child.name for child in content.children if child.type.startswith(("map", "tag"))]

    def test_names_the_same_fields_as_text(self, recorded):
        view = inspect_view(list(decode_frames(load(recorded)))[1])
        for name in ("ingress_expiry", "canister_id", "sender_pubkey", "gateway_principal"):
            assert name in view.html
            assert name in view.text


class TestHostile:
    @pytest.mark.parametrize(
        "text", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "</style><b>", "{{7*7}}"]
    )
    def test_an_application_message_cannot_become_html(self, text):
        content = candid.encode([candid.TEXT], [text])
        message = WebsocketMessage(ClientKey(Principal.ANONYMOUS, 1), 1, 1, False, content)
        frame = Frame(1.0, "in", "binary", CanisterMessage(text, message.encode(), b"", b"").encode())
        view = inspect_view(decode_frame(frame), app_type=candid.TEXT)
        body = view.html[view.html.index('class="icws-view"') :]
        for tag in ("<script", "<img", "<b>alert", "</style><b"):
            assert tag not in body
        assert "{{7*7}}" in body or "49" not in text

    @given(st.binary(max_size=300))
    def test_any_bytes_are_shown(self, data):
        view = inspect_view(decode_frame(Frame(1.0, "in", "binary", data)))
        assert shown_bytes(view.html) == data

    def test_a_huge_frame_is_shown_in_part(self):
        data = b"\x9a\x00\x0f\xff\xff" + b"\x00" * 0x0FFFFF
        html = inspect_view(decode_frame(Frame(1.0, "in", "binary", data))).html
        assert len(html) < 3_000_000


class TestLongFields:
    DATA = b"\x5a\x00\x01\x00\x00" + bytes(65536)

    def test_leave_out_whole_rows(self):
        view = inspect_view(decode_frame(Frame(1.0, "in", "binary", self.DATA)))
        (left_out,) = re.findall(r"… (\d+) bytes not shown …", view.html)
        assert int(left_out) % BYTES_A_ROW == 0
        assert len(shown_bytes(view.html)) + int(left_out) == len(self.DATA)

    def test_keep_the_offsets_true(self):
        frame = Frame(1.0, "in", "binary", self.DATA)
        offsets = list(row_offsets(pane_tree(annotate_frame(frame), frame.data)))
        gap = offsets.index("⋮")
        assert offsets[:gap] == [f"{at:04x}" for at in range(0, gap * BYTES_A_ROW, BYTES_A_ROW)]
        assert offsets[-1] == f"{len(self.DATA) // BYTES_A_ROW * BYTES_A_ROW:04x}"


class TestInspect:
    def test_takes_a_recording_or_its_frames(self, recorded):
        assert icws.inspect(icws.load(recorded), 1).html == icws.inspect(load(recorded), 1).html

    def test_counts_from_the_end_too(self, recorded):
        recording = icws.load(recorded)
        assert icws.inspect(recording, -2).text == icws.inspect(recording, len(recording) - 2).text

    @pytest.mark.parametrize("number", [1000, -1000])
    def test_refuses_a_number_beyond_the_ends(self, recorded, number):
        with pytest.raises(IndexError, match=f"there is no frame {number}"):
            icws.inspect(icws.load(recorded), number)
