# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monai_gu2net.evaluation import checked_rows, read_rows, write_rows

NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8)
NUMBERS = st.one_of(st.none(), st.floats(allow_infinity=False, width=64))
ERRORS = st.one_of(st.none(), st.just(math.nan), st.floats(min_value=0, allow_infinity=True))


def row(**changes: object) -> dict[str, object]:
    return {"case": "1", "domain": "head", "landmark": "a", "error": 1.0, "unit": "mm"} | changes


@st.composite
def result_rows(draw: st.DrawFn) -> list[dict[str, object]]:
    keys = draw(st.lists(st.tuples(NAMES, NAMES, NAMES), unique=True, max_size=4))
    axes = draw(st.sampled_from(["xy", "xyz"]))
    return [
        {
            "case": case,
            "domain": domain,
            "landmark": landmark,
            **{f"{kind}_{axis}": draw(NUMBERS) for kind in ("reference", "predicted") for axis in axes},
            "error": draw(ERRORS),
            "unit": draw(st.sampled_from(["mm", "px"])),
            "spacing_source": draw(st.sampled_from(["fixed", "none", ""])),
            "confidence": draw(NUMBERS),
        }
        for case, domain, landmark in keys
    ]


@settings(max_examples=40)
@given(rows=result_rows())
def test_rows_read_back_are_the_rows_written(rows, tmp_path_factory):
    path = write_rows(tmp_path_factory.getbasetemp() / "round_trip.csv", rows)

    assert repr(read_rows(path)) == repr(checked_rows(rows))  # repr, since NaN equals nothing


def test_not_annotated_is_an_empty_field_and_not_found_is_inf(tmp_path):
    rows = [row(error=None, reference_x=None, predicted_x=2.5), row(landmark="b", error=math.inf)]

    lines = write_rows(tmp_path / "new" / "rows.csv", rows).read_text().splitlines()

    assert lines == [
        "case,domain,landmark,reference_x,reference_y,predicted_x,predicted_y,error,unit,spacing_source,confidence,"
        "radius,presence,image_x,image_y,spacing_x,spacing_y",
        "1,head,a,,,2.5,,,mm,,,,,,,,",
        "1,head,b,,,,,inf,mm,,,,,,,,",
    ]
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["rows.csv"]


def test_volumes_have_a_third_coordinate():
    checked = checked_rows([row(predicted_z=3), row(landmark="b")])

    assert checked[0]["predicted_z"] == 3
    assert math.isnan(checked[0]["reference_z"])
    assert math.isnan(checked[1]["predicted_z"])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"case": "1"}], "Result row 0 must have the columns"),
        ([row(), row()], "'a' of case '1' of domain 'head' must have one result row; got two"),
        ([row(unit="cm")], "unit must be 'mm' or 'px'; got 'cm'"),
        ([row(error=-1)], "error must be a distance; got -1.0"),
    ],
)
def test_rows_that_cannot_be_are_refused(rows, message):
    with pytest.raises(ValueError, match=message):
        checked_rows(rows)


def test_a_table_of_another_kind_is_refused_by_its_name(tmp_path):
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")

    with pytest.raises(ValueError, match=r"other\.csv: The header must have the columns"):
        read_rows(tmp_path / "other.csv")


def test_a_field_that_is_no_number_is_refused_by_file_case_landmark_and_column(tmp_path):
    (tmp_path / "bad.csv").write_text("case,domain,landmark,error,unit\n1,head,a,far,mm\n")
    message = r"bad\.csv: Landmark 'a' of case '1' of domain 'head': error must be a number; got 'far'. Correct it."

    with pytest.raises(ValueError, match=message):
        read_rows(tmp_path / "bad.csv")


def test_a_byte_order_mark_as_spreadsheets_write_it_is_read_over(tmp_path):
    path = write_rows(tmp_path / "rows.csv", [row()])
    path.write_text(path.read_text(), encoding="utf-8-sig")

    assert read_rows(path)[0]["error"] == 1.0
