"""Limits on Candid messages, types and .did texts from untrusted sources.

Each limit bounds the time and memory that one message or one text may cost. None of them is part of
the Candid specification; each is far above what the protocol's real messages and interfaces need.

Reading a message of n bytes creates at most ``min(VALUES_FREE + VALUES_PER_BYTE * n, MAX_VALUES)``
values, so the cost is linear in n. Values that take no bytes (null, reserved, empty records) count as well.
"""

from __future__ import annotations

from typing import Final

from ..budgets import DID_TEXT

# Messages: numbers.
MAX_COUNT_BYTES: Final = 10  # bytes of the LEB128 of a length, a count, an index or a field id: 64 bits
MAX_NUMBER_BYTES: Final = 2000  # bytes of the LEB128 of a nat or int; Python prints numbers of up to 4300 digits

# Messages: the type table and the arguments.
MAX_TABLE: Final = 5_000  # entries of a type table; the whole interface of a large canister needs a few hundred
MAX_TYPE_PARTS: Final = 10_000  # fields, methods, arguments and results in a type table
MAX_ARGS: Final = 1_000  # arguments of a message

# Messages: values.
VALUES_FREE: Final = 4_096  # values that any message may hold, however short it is
VALUES_PER_BYTE: Final = 4  # further values for each byte of the message
MAX_VALUES: Final = 100_000  # values of any message; they take about 30 ms and 30 MB
MAX_DEPTH: Final = 256  # values nested in each other

# Annotating a message.
MAX_NODES: Final = 5_000  # nodes of a tree; the parts beyond are summed up in one node
NODES_FREE: Final = 256  # nodes for any message, however short it is
NODES_PER_BYTE: Final = 4  # further nodes for each byte of the message
MAX_LEVELS: Final = 64  # values nested in each other that have nodes of their own
MAX_NUMBERS: Final = 64  # numbers of a vec that have nodes of their own; a longer vec is one node

# Plans that are kept from one message to the next (see decode.py).
MAX_HEAD: Final = 2_048  # bytes of a head that is kept
MAX_HEADS: Final = 64  # heads that are kept
MAX_READERS: Final = 1_000  # readers in one kept plan; they grow with the expected types

# Types.
MAX_TYPE_DEPTH: Final = 128  # constructors nested in one type expression; a name (Ref) starts anew
MAX_ALIASES: Final = 100  # names that only stand for the next name
MAX_EXPANDED: Final = 2_000  # constructors of a type whose names are replaced by their definitions
MAX_EXPANDED_NAMES: Final = 300  # different names in such a type
MAX_INLINE: Final = 2_000  # constructors of a type that is written as text without definitions

# .did texts; a text and the files that it imports count together.
MAX_DID_SIZE: Final = DID_TEXT
MAX_DID_TOKENS: Final = 40_000  # words and signs; parsing takes about 10 µs for each
MAX_DID_IMPORTS: Final = 100  # import statements
