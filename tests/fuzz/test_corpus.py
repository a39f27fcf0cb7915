"""Every reader takes every input of the corpus: a value or a documented error comes out, after bounded work.

The corpus holds small valid inputs, inputs that hurt earlier versions, and what `make fuzz` found to reach new code.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from support.cost import lines_of
from support.fuzz_readers import READERS, read_one

CORPUS = Path(__file__).with_name("corpus")
FILES = sorted(path for path in CORPUS.glob("*/*") if path.is_file())
MAX_LINES = 1_500_000  # of Python for one input: about 50 ms


def test_there_is_a_corpus_for_every_reader() -> None:
    assert sorted(path.name for path in CORPUS.iterdir()) == sorted(READERS)
    assert all(any((CORPUS / name).iterdir()) for name in READERS)


@pytest.mark.parametrize("name", READERS)
def test_every_input_ends_in_a_value_or_a_documented_error(name: str) -> None:
    for path in sorted((CORPUS / name).iterdir()):
        data = path.read_bytes()
        lines_of(lambda data=data: read_one(name, data), most=MAX_LINES)


@pytest.mark.parametrize("name", READERS)
def test_readers_take_the_inputs_of_the_others(name: str) -> None:
    for path in FILES:
        read_one(name, path.read_bytes())
