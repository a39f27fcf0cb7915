"""The field tree beside the bytes: whole, escaped, bounded, and tied together by its rules."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.analysis.decode import application_type, decode_frame, decode_frames
from icws_explore.capture import Frame, load
from icws_explore.protocol import candid
from icws_explore.protocol.messages import CanisterMessage, ClientKey, WebsocketMessage
from icws_explore.protocol.principal import Principal
from icws_explore.views.cards.inspect import MAX_LEAF_BYTES, hex_view


def shown_bytes(html):
    grid = html[html.index('class="icws-hex-grid"') :]
    return bytes.fromhex("".join(re.findall(r"<i>([0-9a-f]{2})</i>", grid)))


class TestWhole:
    def test_shows_every_byte_of_every_real_frame(self, recorded):
        capture = load(recorded)
        for decoded in decode_frames(capture):
            view = hex_view(decoded, app_type=application_type(capture))
            assert shown_bytes(view.html) == decoded.frame.data

    def test_each_field_has_a_rule_for_its_bytes(self, recorded):
        html = hex_view(next(decode_frames(load(recorded)))).html
        for number in set(re.findall(r'<span class="h(\d+)">', html)):
            assert f".h{number}{{background" in html
            assert f'class="t{number}' in html

    def test_the_text_twin_names_the_same_fields(self, recorded):
        view = hex_view(list(decode_frames(load(recorded)))[1])
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
        view = hex_view(decode_frame(frame), app_type=candid.TEXT)
        body = view.html[view.html.index('class="icws-view"') :]
        for tag in ("<script", "<img", "<b>alert", "</style><b"):
            assert tag not in body
        assert "{{7*7}}" in body or "49" not in text

    @given(st.binary(max_size=300))
    def test_any_bytes_are_shown(self, data):
        view = hex_view(decode_frame(Frame(1.0, "in", "binary", data)))
        assert shown_bytes(view.html) == data

    def test_a_huge_frame_is_shown_in_part(self):
        data = b"\x9a\x00\x0f\xff\xff" + b"\x00" * 0x0FFFFF
        html = hex_view(decode_frame(Frame(1.0, "in", "binary", data))).html
        assert len(html) < 3_000_000
        long = hex_view(decode_frame(Frame(1.0, "in", "binary", b"\x5a\x00\x01\x00\x00" + bytes(65536)))).html
        assert f"{65536 + 5 - MAX_LEAF_BYTES} more" in long
