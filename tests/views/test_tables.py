from __future__ import annotations

import re

import numpy as np
import pandas as pd

from icws_explore.analysis.recording import Recording
from icws_explore.views.tables import MAX_COLUMNS, MAX_ROWS, table_view
from support.markup import Markup
from support.session_captures import healthy, hostile


def cells_of(html: str) -> list[str]:
    return re.findall(r"<td[^>]*>(.*?)</td>", html)


class TestCells:
    def test_of_unknown_values_are_empty(self) -> None:
        table = pd.DataFrame(
            {
                "a": pd.array([None, 7], dtype="UInt64"),
                "b": [float("nan"), 1.5],
                "c": [None, "x"],
                "d": [pd.NaT, pd.Timestamp("2026-11-23 13:53:04.589123456", tz="UTC")],
            }
        )
        view = table_view(table)
        assert cells_of(view.html) == ["", "", "", "", "7", "1.500", "x", "2026-11-23 13:53:04.589 UTC"]
        assert not re.search(r"<NA>|nan|NaT|None", view.text)

    def test_of_numbers_are_readable(self) -> None:
        table = pd.DataFrame({"a": [0.0, 0.00012, 1234.5678, float("inf"), -2.0]})
        assert cells_of(table_view(table).html) == ["0.000", "0.00012", "1234.568", "inf", "-2.000"]
        assert cells_of(table_view(pd.DataFrame({"a": [True], "b": [np.int64(2**60)]})).html) == ["True", str(2**60)]

    def test_of_application_values_are_short(self) -> None:
        table = pd.DataFrame({"value": [{"text": "x" * 500}, [1, 2], b"\x01\x02"]})
        shown = cells_of(table_view(table).html)
        assert max(map(len, shown)) < 200
        assert shown[1:] == ["[1, 2]", "0x0102"]

    def test_are_escaped_and_on_one_line(self) -> None:
        view = table_view(Recording(hostile()).frames())
        assert not {"script", "img", "b"} & Markup(view.html).tags
        assert all(line.isprintable() for line in view.text.splitlines())


class TestColumns:
    def test_without_any_value_are_only_named(self) -> None:
        table = pd.DataFrame({"session": [None, None], "size": [5, 1000], "until": [pd.NaT, pd.NaT]})
        view = table_view(table)
        assert cells_of(view.html) == ["5", "1000"]
        assert view.text.splitlines()[-1] == "2 rows, 3 columns; without values: session, until"

    def test_of_a_table_without_rows_stay(self) -> None:
        assert "session" in table_view(pd.DataFrame({"session": []})).text.splitlines()[0]


class TestAlignment:
    def test_text_is_to_the_left_and_numbers_are_to_the_right(self) -> None:
        table = pd.DataFrame({"name": ["a", "longer"], "size": [5, 1000]}, index=pd.Index([0, 1], name="frame"))
        assert table_view(table).text.splitlines() == [
            "frame  name    size",
            "0      a          5",
            "1      longer  1000",
            "2 rows, 2 columns",
        ]
        assert Markup(table_view(table).html).count("icws-num") == 3


class TestBounds:
    def test_a_long_table_shows_its_ends(self) -> None:
        view = table_view(pd.DataFrame({"a": range(500)}))
        assert f"… {500 - MAX_ROWS} rows not shown …" in view.text
        assert f"… {500 - MAX_ROWS} rows not shown …" in Markup(view.html).text
        assert "500 rows, 1 column" in view.text

    def test_a_wide_table_shows_its_first_columns(self) -> None:
        view = table_view(pd.DataFrame([[0] * (MAX_COLUMNS + 5)]))
        assert f"1 row, 45 columns, of which {MAX_COLUMNS} are shown" in view.text

    def test_an_empty_table_and_a_grouped_one_are_shown_too(self) -> None:
        assert "0 rows, 1 column" in table_view(pd.DataFrame({"a": []})).text
        grouped = Recording(healthy()).frames().groupby(["direction", "kind"]).agg({"size": ["min", "max"]})
        text = table_view(grouped).text
        assert "size / min" in text
        assert "in / ack" in text
