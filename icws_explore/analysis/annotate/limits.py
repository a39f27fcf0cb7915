"""Limits on annotating a frame from an untrusted source.

They bound the time, the memory and the size of the tree for any frame. Real frames stay far below them. The limits for
Candid are in protocol/candid/limits.py.
"""

from __future__ import annotations

from typing import Final

MAX_CBOR_DEPTH: Final = 100  # CBOR items nested in each other, in one layer
MAX_CBOR_ITEMS: Final = 5_000  # CBOR items of one layer; a witness of fifty messages has about 600
MAX_LAYERS: Final = 8  # layers in each other: frame, message, certificate, its delegation …; real frames have 5
MAX_CANDID_NODES: Final = 2_000  # nodes of one Candid message; the parts beyond are one leaf
MAX_TEXT: Final = 64 * 1024  # bytes of a text frame that are shown
MAX_NAME: Final = 100  # characters of a field's name that appear in a path
MAX_LABEL: Final = 200  # bytes of a hash tree's label that appear in a path; the protocol's longest has about 90
MAX_KEY: Final = 200  # characters of a message key that are parsed; a valid one has at most 84
