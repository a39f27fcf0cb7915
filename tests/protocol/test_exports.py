"""The protocol as a library of its own: what it exports, and the example of its docstring."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap

import pytest

from icws_explore import protocol
from icws_explore.protocol import canister, client, gateway

PARTS = ["What it models", "How it is driven", "Deadlines", "What it does not do", "Errors"]
MACHINES = [client, gateway, canister]


class TestNames:
    @pytest.mark.parametrize("name", protocol.__all__)
    def test_every_exported_name_loads(self, name: str) -> None:
        assert getattr(protocol, name).__name__.rpartition(".")[2] == name

    def test_are_sorted_and_listed(self) -> None:
        assert sorted(protocol.__all__, key=lambda name: (not name[0].isupper(), name)) == protocol.__all__
        assert set(protocol.__all__) <= set(dir(protocol))

    def test_another_name_is_an_attribute_error(self) -> None:
        with pytest.raises(AttributeError, match="no attribute 'nothing'"):
            _ = protocol.nothing

    def test_load_no_machine_before_they_are_used(self) -> None:
        code = "import sys, icws_explore.protocol.errors; print('icws_explore.protocol.client' in sys.modules)"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout == "False\n"


class TestTheoryOfOperation:
    @pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.__name__)
    @pytest.mark.parametrize(
        "part", ["What it models", "How it is driven", "Deadlines", "What it does not do", "Errors"]
    )
    def test_has_every_part(self, machine: object, part: str) -> None:
        assert f"**{part}.**" in (machine.__doc__ or "")

    def test_the_example_works(self) -> None:
        (example,) = re.findall(r"::\n\n((?:    .*\n|\n)+)", protocol.__doc__ or "")
        names: dict[str, object] = {}
        exec(textwrap.dedent(example), names)
        events = names["events"]
        assert isinstance(events, list)
        assert [type(event) for event in events] == [gateway.RelayCall, gateway.Log, gateway.Poll]
