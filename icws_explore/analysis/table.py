"""The tables that recordings and their timing give: pandas DataFrames that a notebook shows in their own way."""

from __future__ import annotations

import pandas as pd


class Table(pd.DataFrame):
    """A pandas DataFrame, and nothing less.

    It is a class of its own so that `views.tables` can draw it: text to the left, unknown values empty, times to
    the millisecond. What is selected from it is a Table again.
    """

    @property
    def _constructor(self) -> type[Table]:
        return Table
