"""The application's type from a file and the files that it imports, from a .did text, or from a type's text."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from icws_explore.live.target import read_app_type, read_did
from icws_explore.protocol import candid
from icws_explore.protocol.errors import DidError

SERVICE = """
type Msg = record { text : text };
service : {
  ws_message : (record { msg : blob }, opt Msg) -> (variant { Ok; Err : text });
}
"""


class TestSources:
    def test_a_file(self, tmp_path: Path) -> None:
        path = tmp_path / "service.did"
        path.write_text(SERVICE)
        assert candid.type_text(read_app_type(path)) == candid.type_text(read_app_type(str(path)))

    def test_a_service(self) -> None:
        value = {"text": "hi"}
        assert candid.decode(candid.encode([read_app_type(SERVICE)], [value])) == [value]

    @pytest.mark.parametrize("text", ["text", "record { a : nat }", "variant { Hi; Bye : text }", "blob"])
    def test_a_type(self, text: str) -> None:
        assert candid.is_subtype(read_app_type(text), candid.parse_type(text))


class TestErrors:
    def test_name_the_file(self, tmp_path: Path) -> None:
        with pytest.raises(DidError, match=r"cannot read .*gone\.did: No such file"):
            read_app_type(tmp_path / "gone.did")
        binary = tmp_path / "binary.did"
        binary.write_bytes(b"\xff\xfe\x00")
        with pytest.raises(DidError, match="UTF-8"):
            read_app_type(binary)

    def test_say_what_to_change(self, tmp_path: Path) -> None:
        path = tmp_path / "old.did"
        path.write_text("service : { ws_message : (record { msg : blob }) -> (); }")
        with pytest.raises(DidError, match=r"ws_message.*opt.*old\.did"):
            read_app_type(path)

    def test_a_service_without_ws_message(self) -> None:
        with pytest.raises(DidError, match="the service has no method ws_message"):
            read_app_type("type A = nat; service : { other : () -> () }")

    def test_a_huge_text_is_refused(self, tmp_path: Path) -> None:
        huge = "type A = nat;\n" * 400_000
        with pytest.raises(DidError, match="allowed"):
            read_app_type(huge)
        (tmp_path / "huge.did").write_text(huge)
        with pytest.raises(DidError, match="allowed"):
            read_app_type(tmp_path / "huge.did")


def written(folder: Path, **texts: str) -> Path:
    """Writes the texts as files; ``__`` in a name stands for a folder. The first file is returned."""
    paths = [folder / f"{name.replace('__', '/')}.did" for name in texts]
    for path, text in zip(paths, texts.values(), strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return paths[0]


class TestImports:
    def test_of_types_beside_the_file(self, tmp_path: Path) -> None:
        main = written(
            tmp_path,
            main='import "types/messages.did";\nservice : { ws_message : (record {}, opt AppMessage) -> () }',
            types__messages='import "more/key.did";\ntype AppMessage = record { key : Key; text : text };',
            types__more__key="type Key = record { nonce : nat64 };",
        )
        assert str(read_app_type(main)) == 'record { key : record { nonce : nat64 }; "text" : text }'
        assert list(read_did(main).methods) == ["ws_message"]

    def test_of_a_service(self, tmp_path: Path) -> None:
        main = written(
            tmp_path,
            main='import service "cdk.did";',
            cdk="type M = variant { Ping };\nservice : { ws_message : (record {}, opt M) -> () }",
        )
        assert str(read_app_type(str(main))) == "variant { Ping }"

    def test_of_a_parent_folder_inside_the_folder_of_the_file(self, tmp_path: Path) -> None:
        main = written(
            tmp_path, main='import "a/b.did"; type T = B;', a__b='import "../c.did"; type B = C;', c="type C = nat"
        )
        assert read_app_type(main) == candid.NAT

    @pytest.mark.parametrize("wanted", ["../secret.did", "a/../../secret.did", "link.did", "{folder}/secret.did"])
    def test_of_files_outside_are_refused(self, tmp_path: Path, wanted: str) -> None:
        written(tmp_path, secret="type Secret = nat;")
        path = wanted.format(folder=tmp_path)
        main = written(tmp_path / "project", main=f'import "{path}"; type T = Secret;')
        (main.parent / "link.did").symlink_to(tmp_path / "secret.did")
        with pytest.raises(DidError, match=r"line 1, column 1: cannot import .* outside the folder of main\.did"):
            read_app_type(main)

    @pytest.mark.parametrize("wanted", ["gone.did", "a\\\\00.did", "folder", "pipe.did"])
    def test_of_what_is_not_a_file(self, tmp_path: Path, wanted: str) -> None:
        main = written(tmp_path, main=f'import "{wanted}"; type T = nat;')
        (tmp_path / "folder").mkdir()
        os.mkfifo(tmp_path / "pipe.did")
        with pytest.raises(DidError, match=r"cannot import .*\(in .*main\.did\)"):
            read_app_type(main)

    def test_that_lead_back_to_the_file(self, tmp_path: Path) -> None:
        main = written(tmp_path, main='import "a.did"; type M = A;', a='import "./main.did"; type A = nat;')
        with pytest.raises(DidError, match=r"main\.did imports itself: main\.did → a\.did → main\.did"):
            read_app_type(main)

    def test_a_fault_in_an_imported_file_has_its_place_there(self, tmp_path: Path) -> None:
        main = written(tmp_path, main='\nimport "a.did"; type M = A;', a="type A = nat;\n type B = C;")
        with pytest.raises(DidError, match=r"the type C is not defined \(in a\.did, line 2, column 11\)") as caught:
            read_app_type(main)
        assert (caught.value.line, caught.value.column) == (2, 1)
