"""CBOR as the protocol's parties write it: strict on the way in, plain on the way out.

Bytes from a socket are untrusted, so `loads` takes only what the protocol uses: definite lengths,
text or byte keys, no duplicate keys, no bignums, dates, shared references or other tags, no
undefined, nothing behind the value, and no deeper or larger than asked. The self-describe tag 55799
(``d9 d9 f7``) is optional in front of a whole value, because the Rust and Motoko CDKs and the two
agents disagree about writing it.
"""

from __future__ import annotations

import io
from functools import partial
from typing import Any, NoReturn

import cbor2

from .errors import CborError, ValueMismatchError

SELF_DESCRIBE = b"\xd9\xd9\xf7"
MAX_SIZE = 16 * 1024 * 1024  # bytes; a frame of the real gateway is far smaller (ingress ends at 2 MiB)
MAX_DEPTH = 128  # as ic-certification's reader; a witness among a million keys is about 45 deep


def _refuse(number: int, *_: object) -> NoReturn:
    raise ValueError(f"tag {number} is not used by the protocol")


def _unknown_tag(tag: cbor2.CBORTag, *_: object) -> NoReturn:
    _refuse(tag.tag)


# Everything that cbor2 would turn into something richer than data. Other tags reach `_unknown_tag`.
_TAGS = (0, 1, 2, 3, 4, 5, 25, 28, 29, 30, 35, 36, 37, 100, 256, 258, 260, 261, 1004, 43000, 55799)
_REFUSED: dict[int, Any] = {number: partial(_refuse, number) for number in _TAGS}
_PLAIN = frozenset({bytes, str, int, float, bool, type(None)})


MAX_ITEMS = 40_000  # data items; the largest witness that hashtree takes has fewer
_FEW = 16 * 1024  # bytes that cannot hold so many items as to matter


def loads(data: bytes, *, what: str = "CBOR", max_size: int = MAX_SIZE, max_depth: int = MAX_DEPTH) -> Any:
    """The one CBOR value in ``data``: dict, list, bytes, str, int, float, bool or None.

    Raises CborError for anything that is not exactly one plain value. ``what`` names the value in
    the error. Sizes are in bytes.
    """
    if len(data) > max_size:
        raise CborError(what, f"{len(data)} bytes are more than the {max_size} allowed")
    skip = len(SELF_DESCRIBE) if data.startswith(SELF_DESCRIBE) else 0
    if len(data) > _FEW:
        _require_few_items(data, what)
    stream = io.BytesIO(data[skip:] if skip else data)
    # read_size=1 keeps the stream's position at the end of the value, which shows what trails it.
    decoder = cbor2.CBORDecoder(
        stream,
        read_size=1,
        max_depth=max_depth,
        allow_indefinite=False,
        allow_duplicate_keys=False,
        strict_hashable_types=True,
        tag_hook=_unknown_tag,
        semantic_decoders=_REFUSED,
    )
    try:
        value = decoder.decode()
        _require_plain(value)
    except (cbor2.CBORError, ValueError, OverflowError, RecursionError, MemoryError) as error:
        raise CborError(what, _one_line(error), skip + stream.tell()) from error
    end = skip + stream.tell()
    if end != len(data):
        raise CborError(what, f"{len(data) - end} bytes too many behind the value", end)
    return value


def dumps(value: Any, *, tagged: bool = False) -> bytes:
    """``value`` as CBOR, map keys in the order given; ``tagged`` puts the self-describe tag in front.

    Raises ValueMismatchError for what CBOR cannot hold.
    """
    try:
        encoded = cbor2.dumps(value)
    except (cbor2.CBOREncodeError, UnicodeEncodeError) as error:
        raise ValueMismatchError("", _one_line(error)) from error
    return SELF_DESCRIBE + encoded if tagged else encoded


def _require_few_items(data: bytes, what: str) -> None:
    """Raise CborError for more than MAX_ITEMS items, before cbor2 makes a Python object of each.

    Heads are only counted and strings passed over; whatever else is wrong is cbor2's to say.
    """
    at, end = 0, len(data)
    for _ in range(MAX_ITEMS):
        if at >= end:
            return
        initial = data[at]
        major, info = initial >> 5, initial & 31
        at += 1
        if 24 <= info < 28:
            size = 1 << (info - 24)
            argument = int.from_bytes(data[at : at + size], "big")
            at += size
        else:
            argument = info
        if major in (2, 3) and info < 28:
            at += argument
    if at < end:
        raise CborError(what, f"more than the {MAX_ITEMS} items allowed", at)


def _require_plain(value: object) -> None:
    """Raise ValueError for what no option of cbor2 refuses: undefined and unassigned simple values."""
    todo = [value]
    while todo:
        item = todo.pop()
        if type(item) is dict:
            todo.extend(item.values())
        elif type(item) is list:
            todo.extend(item)
        elif type(item) not in _PLAIN:
            raise ValueError(f"{item!r} is not used by the protocol")


def _one_line(error: BaseException) -> str:
    text = str(error) or type(error).__name__
    cause = error.__cause__
    if cause is not None and str(cause):
        text = f"{text} ({cause})"
    return " ".join(text.split())
