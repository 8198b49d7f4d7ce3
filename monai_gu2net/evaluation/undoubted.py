# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The results without the landmarks whose annotation is in doubt."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from monai_gu2net.evaluation.result_table import Rows, result_table

__all__ = ["undoubted_rows"]


def undoubted_rows(rows: Rows, cases: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """The rows of the domains that have landmarks in doubt, these without a reference and an error.

    Args:
        rows: a model's, see :func:`~monai_gu2net.evaluation.result_table`.
        cases: of the datalist, with names under ``doubtful``.

    Returns:
        A table that can be rescored and summarized as that of the rows; empty where nothing is in doubt.
    """
    table = result_table(rows)
    doubtful = {(case["domain"], case["case"], name) for case in cases for name in case.get("doubtful", ())}
    keys = zip(table["domain"], table["case"], table["landmark"], strict=True)
    out = pd.Series([key in doubtful for key in keys], index=table.index, dtype=bool)
    columns = ["error", *(column for column in table if column.startswith("reference_"))]
    table.loc[out, columns] = math.nan
    return table[table["domain"].isin(table.loc[out, "domain"])].reset_index(drop=True)
