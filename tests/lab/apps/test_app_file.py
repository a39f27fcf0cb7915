"""An application from a Python file runs, and every mistake in the file is reported in one line with advice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from icws_explore.lab.apps import from_file
from icws_explore.protocol.candid import NAT, decode, encode, parse_type, same_type, type_text
from icws_explore.protocol.canister import Reply, candid_interface
from icws_explore.protocol.errors import LabError
from support.canister_host import CanisterBench, client_key

COUNTER = '''
"""Counts what each client says."""
from icws_explore.protocol.canister import Trap

MESSAGE_TYPE = "record { text : text; n : nat }"

def on_open(context, client):
    context.state[client] = 0

def on_message(context, client, message):
    context.state[client] += 1
    if message["text"] == "bad":
        raise Trap("bad")
    context.send(client, {"text": message["text"], "n": context.state[client]})

def on_close(context, client):
    del context.state[client]
'''


def written(folder: Path, text: str) -> Path:
    path = folder / "app.py"
    path.write_text(text, encoding="utf-8")
    return path


def mistake(folder: Path, text: str) -> str:
    path = written(folder, text)
    with pytest.raises(LabError) as caught:
        from_file(path)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(path))
    return str(caught.value).removeprefix(str(path))


class TestRuns:
    def test_a_trap_rolls_its_memory_back(self, tmp_path: Path) -> None:
        app = from_file(written(tmp_path, COUNTER))
        bench = CanisterBench.of(app)
        ada = bench.opened("ada")

        def say(text: str) -> Any:
            return bench.message(ada, encode([app.message_type], [{"text": text, "n": 0}]))

        bench.ok(say("one"))
        bench.reject(say("bad"))
        ada.next_sequence_num = 2
        bench.ok(say("two"))
        last = bench.received(ada)[-1]
        assert isinstance(last, bytes)
        assert decode(last, [app.message_type]) == [{"text": "two", "n": 2}]

    def test_the_file_is_loaded_again_each_time(self, tmp_path: Path) -> None:
        path = written(tmp_path, "MESSAGE_TYPE = 'text'\ndef on_open(context, client): pass\n")
        assert type_text(from_file(path).message_type) == "text"
        written(tmp_path, "MESSAGE_TYPE = 'nat'\nFLAVOUR = 'motoko'\ndef on_open(context, client): pass\n")
        app = from_file(path)
        assert (type_text(app.message_type), app.flavour) == ("nat", "motoko")

    def test_classes_of_the_file_work(self, tmp_path: Path) -> None:
        text = """
from __future__ import annotations
from dataclasses import dataclass
@dataclass(slots=True)
class Seen:
    count: int = 0
MESSAGE_TYPE = "text"
def on_open(context, client):
    context.state["seen"] = Seen(1)
"""
        bench = CanisterBench.of(from_file(written(tmp_path, text)))
        bench.opened("ada")

    @pytest.mark.parametrize(
        "did",
        [
            "record { text : text }",
            "type Other = nat; type Mine = record { text : text };",
            candid_interface(parse_type("record { text : text }")),
        ],
    )
    def test_the_type_may_be_a_whole_did(self, tmp_path: Path, did: str) -> None:
        app = from_file(written(tmp_path, f"MESSAGE_TYPE = {did!r}\ndef on_open(context, client): pass\n"))
        assert same_type(app.message_type, parse_type("record { text : text }"))

    def test_a_builtin_without_a_signature_is_accepted(self, tmp_path: Path) -> None:
        assert from_file(written(tmp_path, "MESSAGE_TYPE = 'text'\non_open = max\n")).on_open is max


class TestMethods:
    def test_are_called_with_values(self, tmp_path: Path) -> None:
        text = """
MESSAGE_TYPE = "text"
METHODS = {"add": "(nat, more : nat) -> (nat) query"}
def on_open(context, client): pass
def add(context, caller, one, more): return one + more
"""
        app = from_file(written(tmp_path, text))
        bench = CanisterBench.of(app)
        outcome = bench.update("add", encode([NAT, NAT], [1, 2]), client_key("ada").client_principal)
        assert outcome == Reply(encode([NAT], [3]))

    @pytest.mark.parametrize(
        ("lines", "says"),
        [
            ("METHODS = ['get']", ": METHODS must map names to types"),
            ("METHODS = {'get': 5}", ": METHODS must map names to types"),
            ("METHODS = {'get': 'nat'}", ": METHODS: the type of 'get': line 1, column"),
            (
                "METHODS = {'get': '() -> (); set : () -> ()'}",
                ": get is of type NoneType, not a function; write def get(",
            ),
            (
                "METHODS = {'get': '(x : nat) -> ()'}",
                ": get is of type NoneType, not a function; write def get(context, caller, x)",
            ),
            (
                "METHODS = {'get': '(nat) -> ()'}\ndef get(context): pass",
                ": get must take 3 arguments: get(context, caller, value1)",
            ),
        ],
    )
    def test_mistakes(self, tmp_path: Path, lines: str, says: str) -> None:
        text = f"MESSAGE_TYPE = 'text'\ndef on_open(context, client): pass\n{lines}\n"
        assert mistake(tmp_path, text).startswith(says)


class TestMistakes:
    def test_no_such_file(self, tmp_path: Path) -> None:
        with pytest.raises(LabError, match=r"nowhere\.py: cannot be read \(No such file or directory\)$"):
            from_file(tmp_path / "nowhere.py")

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("def on_open(:\n", ", line 1: invalid syntax"),
            ("import this_is_not_there\n", ", line 1: ModuleNotFoundError: No module named 'this_is_not_there'"),
            ("x = 1\ndef f():\n    return 1 / 0\nf()\n", ", line 3: ZeroDivisionError: division by zero"),
            ("raise ValueError('two\\nlines')\n", ", line 1: ValueError: two lines"),
            ("import sys\nsys.exit(1)\n", ", line 2: SystemExit: 1"),
            ("\0", ": source code string cannot contain null bytes"),
        ],
    )
    def test_in_the_code(self, tmp_path: Path, text: str, says: str) -> None:
        assert mistake(tmp_path, text) == says

    @pytest.mark.parametrize(
        ("handlers", "says"),
        [
            ("", ": it defines none of on_init, on_open, on_message, on_close; define at least on_message("),
            ("def on_message(client, message): pass", ": on_message must take 3 arguments: on_message(context, client"),
            ("async def on_open(context, client): pass", ": on_open is async, but a canister"),
            ("on_close = 5", ": on_close is of type int, not a function; write def on_close(context, client): …"),
        ],
    )
    def test_in_the_handlers(self, tmp_path: Path, handlers: str, says: str) -> None:
        assert mistake(tmp_path, f"MESSAGE_TYPE = 'text'\n{handlers}\n").startswith(says)

    @pytest.mark.parametrize(
        ("line", "says"),
        [
            ("", ": MESSAGE_TYPE is missing; write MESSAGE_TYPE = "),
            ("MESSAGE_TYPE = 5", ": MESSAGE_TYPE is of type int, not text; write MESSAGE_TYPE = "),
            ("MESSAGE_TYPE = 'record {'", ": MESSAGE_TYPE: line 1, column "),
            (
                "MESSAGE_TYPE = 'service : { ws_message : (text) -> () }'",
                ": MESSAGE_TYPE: line 1, column 13: ws_message",
            ),
            ("MESSAGE_TYPE = 'text'\nFLAVOUR = 'go'", ": FLAVOUR is 'go'; it must be one of rust, motoko"),
        ],
    )
    def test_in_the_type(self, tmp_path: Path, line: str, says: str) -> None:
        assert mistake(tmp_path, f"{line}\ndef on_open(context, client): pass\n").startswith(says)
