"""The application's type from a file, a .did text, or a type's text."""

import pytest

from icws_explore.live.target import read_app_type
from icws_explore.protocol import candid
from icws_explore.protocol.errors import DidError

SERVICE = """
type Msg = record { text : text };
service : {
  ws_message : (record { msg : blob }, opt Msg) -> (variant { Ok; Err : text });
}
"""


class TestSources:
    def test_a_file(self, tmp_path):
        path = tmp_path / "service.did"
        path.write_text(SERVICE)
        assert candid.type_text(read_app_type(path)) == candid.type_text(read_app_type(str(path)))

    def test_a_service(self):
        value = {"text": "hi"}
        assert candid.decode(candid.encode([read_app_type(SERVICE)], [value])) == [value]

    @pytest.mark.parametrize("text", ["text", "record { a : nat }", "variant { Hi; Bye : text }", "blob"])
    def test_a_type(self, text):
        assert candid.is_subtype(read_app_type(text), candid.parse_type(text))


class TestErrors:
    def test_name_the_file(self, tmp_path):
        with pytest.raises(DidError, match=r"cannot read .*gone\.did: No such file"):
            read_app_type(tmp_path / "gone.did")
        binary = tmp_path / "binary.did"
        binary.write_bytes(b"\xff\xfe\x00")
        with pytest.raises(DidError, match="UTF-8"):
            read_app_type(binary)

    def test_say_what_to_change(self, tmp_path):
        path = tmp_path / "old.did"
        path.write_text("service : { ws_message : (record { msg : blob }) -> (); }")
        with pytest.raises(DidError, match=r"ws_message.*opt.*old\.did"):
            read_app_type(path)

    def test_a_huge_text_is_refused(self):
        with pytest.raises(DidError, match="allowed"):
            read_app_type("type A = nat;\n" * 400_000)
