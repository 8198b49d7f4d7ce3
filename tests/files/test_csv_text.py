# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import csv
import io
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monai_gu2net.evaluation import read_rows, write_csv, write_rows
from monai_gu2net.files import csv_text, original_cell
from monai_gu2net.landmarks import LandmarkSet
from monai_gu2net.landmarks.formats.table_csv import read_table, write_table

FORMULAS = ['=HYPERLINK("http://x",1)', "+1+1", "-2+3", "@SUM(1)", "\t=1", "\r=1", "=", "-", "'=1", "''@x", "\uff1d1+1"]
texts = st.text(st.sampled_from(["=", "+", "-", "@", "\t", "\r", "\n", "'", '"', ",", "a", "1", ".", "e", " ", "ä"]))


def cells(text: str) -> list[list[str]]:
    """As another program reads them."""
    return list(csv.reader(io.StringIO(text, newline="")))


@given(st.lists(st.lists(texts, min_size=2, max_size=4), min_size=1, max_size=4))
def test_reading_back_what_was_written_gives_the_same_text(lines: list[list[str]]) -> None:
    assert [[original_cell(cell) for cell in line] for line in cells(csv_text(lines))] == lines


@given(texts)
def test_no_text_begins_as_a_formula_does_unless_it_is_a_number(text: str) -> None:
    [[_, cell]] = cells(csv_text([["case", text]]))
    if cell[:1] in tuple("=+-@\t\r\n"):
        assert cell == text
        assert math.isfinite(float(cell)) or cell == ""


@pytest.mark.parametrize("number", [-3.5, 3.5, -1e-300, 0.1 + 0.2, math.inf, -7, np.float64(-0.1)])
def test_numbers_stay_numbers(number: float) -> None:
    [[_, cell]] = cells(csv_text([["error", number]]))
    assert float(cell) == number


@pytest.mark.parametrize("number", ["-3.5", "+7", "-1e-05", "-.5"])
def test_text_that_is_a_number_stays_as_it_is(number: str) -> None:
    assert csv_text([["rate", number]]) == f"rate,{number}\n"


@pytest.mark.parametrize("name", FORMULAS)
def test_result_rows_keep_the_names_of_cases_and_landmarks(tmp_path: Path, name: str) -> None:
    row: dict[str, Any] = {"case": name, "domain": name, "landmark": name, "error": 1.5, "unit": "mm"}
    row |= {"predicted_x": -3.5, "spacing_source": name}
    path = write_rows(tmp_path / "landmarks.csv", [row])
    with path.open(newline="", encoding="utf-8") as file:
        [raw] = list(csv.DictReader(file))
    assert {raw["case"], raw["landmark"], raw["domain"], raw["spacing_source"]} == {f"'{name}"}
    assert raw["predicted_x"] == "-3.5"
    [back] = read_rows(path).to_dict("records")
    assert (back["case"], back["domain"], back["landmark"], back["spacing_source"]) == (name,) * 4
    assert back["predicted_x"] == -3.5


@pytest.mark.parametrize("name", ["=1+1", "+x", "-x", "@x", "'=x"])
def test_a_table_of_landmarks_keeps_their_names(tmp_path: Path, name: str) -> None:
    path = write_table(tmp_path / "a.csv", LandmarkSet([name], np.array([[-3.5, 2.0]]), "index"), image=name)
    assert f"'{name},'{name},-3.5,2.0,index" in path.read_text()
    [row] = read_table(path)
    assert (row.image, row.landmarks.names) == (name, (name,))
    assert row.landmarks.points.tolist() == [[-3.5, 2.0]]


def test_a_summary_has_no_formula(tmp_path: Path) -> None:
    summary = {"domain": "=cmd|' /C calc'!A0", "landmark": None, "mre": 1.5, "sources": ["@a", "b"], "sdr_2": 50.0}
    text = write_csv(tmp_path / "summary.csv", pd.DataFrame([summary])).read_text()
    assert text == "domain,landmark,mre,sources,sdr_2\n'=cmd|' /C calc'!A0,,1.5,'@a b,50.0\n"
