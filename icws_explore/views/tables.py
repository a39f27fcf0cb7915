"""Tables of the analysis in a notebook: text to the left, numbers to the right, unknown values empty.

pandas itself aligns all text to the right, writes ``<NA>`` and ``NaT`` for what is not known, and prints times to
the nanosecond.
"""

from __future__ import annotations

import numbers
from collections.abc import Hashable
from typing import Any, Final

import pandas as pd
from rich.cells import cell_len
from rich.text import Text

from icws_explore.analysis.decode import value_text

from . import text
from .formatting import count, one_line, shorten
from .html import TEXT_WIDTH, View, render, view_of
from .rows import excerpt

MAX_ROWS: Final = 60
MAX_COLUMNS: Final = 40
_MAX_CELL: Final = 120  # characters in HTML
_MAX_TEXT_CELL: Final = 40  # characters in text


def table_view(table: pd.DataFrame) -> View:
    """A table of at most `MAX_ROWS` rows; of more rows those in the middle are left out.

    Columns without any value are only named below it: most tables have one or two, and their width is missed.
    """
    filled = [at for at in range(table.shape[1]) if not len(table) or not table.iloc[:, at].isna().all()]
    shown = table.iloc[:, filled[:MAX_COLUMNS]]
    columns = [(_label(name), _is_number(shown.iloc[:, at])) for at, name in enumerate(shown.columns)]
    parts = [
        part.map(lambda row: (_label(shown.index[row]), [_cell(value) for value in _row(shown, row)]))
        for part in excerpt(len(shown), limit=MAX_ROWS)
    ]
    size = f"{count(len(table), 'row')}, {count(table.shape[1], 'column')}"
    if len(filled) > MAX_COLUMNS:
        size += f", of which {MAX_COLUMNS} are shown"
    if len(filled) < table.shape[1]:
        empty = [_label(name) for at, name in enumerate(table.columns) if at not in set(filled)]
        size += f"; without values: {shorten(', '.join(empty), _MAX_CELL)}"
    index = _label(shown.index.name) if shown.index.name is not None else ""
    body = render("table.html.j2", columns=columns, parts=parts, index=index, size=size)
    lines = _lines([index, *(name for name, _ in columns)], [False, *(right for _, right in columns)], parts)
    return view_of(body, text.plain([*lines, Text(size)]))


def _row(table: pd.DataFrame, row: int) -> list[Any]:
    return [table.iloc[row, column] for column in range(table.shape[1])]


def _label(name: Hashable) -> str:
    return " / ".join(_cell(part) for part in name) if isinstance(name, tuple) else _cell(name)


def _is_number(column: pd.Series[Any]) -> bool:
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)


def _cell(value: Any) -> str:
    """A value as a reader wants it: empty if unknown, times to the millisecond, floats to three decimals."""
    if not pd.api.types.is_scalar(value) or isinstance(value, bytes):
        return shorten(one_line(value_text(value, _MAX_CELL)), _MAX_CELL)
    if pd.isna(value):
        return ""
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d %H:%M:%S}.{value.microsecond // 1000:03d}{' UTC' if value.tz is not None else ''}"
    if isinstance(value, numbers.Real) and not isinstance(value, numbers.Integral):
        number = float(value)
        return f"{number:.3f}" if abs(number) >= 0.001 or not number else f"{number:.2g}"
    return shorten(one_line(str(value)), _MAX_CELL)


def _lines(names: list[str], right: list[bool], parts: Any) -> list[Text]:
    """The table in columns, cut at `TEXT_WIDTH` cells."""
    rows: list[list[str] | str] = [names]
    for part in parts:
        if part.left_out:
            rows.append(f"… {count(part.left_out, 'row')} not shown …")
        rows += [[label, *(shorten(cell, _MAX_TEXT_CELL) for cell in cells)] for label, cells in part.items]
    widths = [max(cell_len(row[at]) for row in rows if not isinstance(row, str)) for at in range(len(names))]
    lines = []
    for row in rows:
        if isinstance(row, str):
            lines.append(Text(row))
            continue
        cells = [_padded(cell, width, to_right) for cell, width, to_right in zip(row, widths, right, strict=True)]
        lines.append(text.cut(Text("  ".join(cells)), TEXT_WIDTH))
    return lines


def _padded(cell: str, width: int, to_right: bool) -> str:
    space = " " * (width - cell_len(cell))
    return space + cell if to_right else cell + space
