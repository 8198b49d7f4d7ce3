# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import importlib.util
import math
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

PATH = Path(__file__).parents[2] / "benchmarks" / "accuracy" / "backends.py"


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("accuracy_of_backends", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rows(points: list[tuple[float, float]], errors: list[float]) -> pd.DataFrame:
    """Of one landmark in as many cases."""
    return pd.DataFrame(
        [
            {
                "case": str(number),
                "domain": "head",
                "landmark": "a",
                "reference_x": 0.0,
                "reference_y": 0.0,
                "predicted_x": x,
                "predicted_y": y,
                "error": error,
                "unit": "mm",
                "spacing_source": "domain",
            }
            for number, ((x, y), error) in enumerate(zip(points, errors, strict=True))
        ]
    )


def test_how_far_points_moved_does_not_depend_on_the_order_of_rows_and_a_lost_point_is_infinitely_far(
    benchmark: ModuleType,
) -> None:
    before = rows([(1.0, 2.0), (5.0, 5.0), (7.0, 7.0), (math.nan, math.nan)], [0.0] * 4)
    after = rows([(4.0, 6.0), (5.0, 5.04), (math.nan, math.nan), (math.nan, math.nan)], [0.0] * 4)
    assert benchmark.moved(after[::-1], before).tolist() == pytest.approx([5.0, 0.04, math.inf, 0.0])


def test_a_line_holds_error_and_movement(benchmark: ModuleType) -> None:
    before = rows([(0.0, 0.0), (0.0, 0.0), (0.0, 0.0), (0.0, 0.0)], [1.0] * 4)
    after = rows([(0.0, 0.0), (0.0, 0.02), (0.0, 0.04), (0.0, 0.06)], [1.0, 2.0, 3.0, 4.0])
    [line] = benchmark.lines("engine", after, before).to_dict("records")
    assert (line["engine"], line["count"], line["mre"]) == ("engine", 4, 2.5)
    assert line["moved_median"] == pytest.approx(0.03)
    assert (line["moved_most"], line["moved_share"]) == (0.06, 25.0)
