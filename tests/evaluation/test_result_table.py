# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
import re
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from monai_gu2net.evaluation import read_rows, result_columns, result_table, write_rows

DOCUMENTED = Path(__file__).parents[2] / "docs" / "concepts" / "metrics.md"

NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8)
NUMBERS = st.one_of(st.none(), st.floats(width=64))
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
def test_a_table_goes_through_csv_and_parquet_and_back_unchanged(rows, tmp_path_factory):
    folder, table = tmp_path_factory.getbasetemp(), result_table(rows)

    from_csv = read_rows(write_rows(folder / "rows.csv", table))
    from_parquet = read_rows(write_rows(folder / "rows.parquet", from_csv))
    again = write_rows(folder / "again.csv", from_parquet)

    for found in (from_csv, from_parquet):
        pd.testing.assert_frame_equal(found, table, check_exact=True)
    assert again.read_bytes() == (folder / "rows.csv").read_bytes()


def test_parquet_holds_what_pyarrow_reads(tmp_path):
    rows = [row(error=0.1 + 0.2, presence=None), row(landmark="b", error=math.inf), row(landmark="c", error=None)]
    path = write_rows(tmp_path / "rows.parquet", rows)

    columns = parquet.read_table(path).to_pydict()

    assert columns["error"] == [0.1 + 0.2, math.inf, None]
    assert columns["landmark"] == ["a", "b", "c"]
    assert columns["presence"] == [None] * 3


def test_the_schema_documented_is_the_schema_checked():
    """The first column of the table in docs/concepts/metrics.md names every column in its order."""
    section = DOCUMENTED.read_text(encoding="utf-8").split("## The table", 1)[1].split("\n## ", 1)[0]
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    documented = [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]

    assert documented == list(result_columns())
    assert documented == list(result_table([row(spacing_x=0.5, domain_doubt="why")]))
    always = [name for name in documented if name != "domain_doubt"]
    assert list(result_table([row()])) == [name for name in always if not name.endswith("_mm")]
    assert [*result_columns("xyz")] == [*result_table([row(predicted_z=1, spacing_z=0.5, domain_doubt="why")])]
    assert all(f"``{column}``" in result_columns.__doc__ for column in documented)


@pytest.mark.parametrize("axes", ["xy", "xyz"])
def test_text_is_text_and_every_other_column_a_float(axes):
    table = result_table([row(case=7, domain_doubt="why", **{f"reference_{axis}": 1 for axis in axes})])

    text = {column for column, kind in result_columns(axes).items() if kind is str}
    assert text == {"case", "domain", "landmark", "unit", "spacing_source", "domain_doubt"}
    assert table["case"][0] == "7"
    assert {column for column in table if table[column].dtype == float} == set(table) - text


def test_millimetres_are_the_pixels_times_the_spacing():
    known, unknown = result_table(
        [row(predicted_x=30, predicted_y=40, spacing_x=0.5, spacing_y=2), row(case="2", predicted_x=30, unit="px")]
    ).to_dict("records")

    assert (known["predicted_x_mm"], known["predicted_y_mm"]) == (15, 80)
    assert math.isnan(known["reference_x_mm"])
    assert math.isnan(unknown["predicted_x_mm"])


def test_millimetres_follow_the_pixels_and_are_not_read(tmp_path):
    table = result_table([row(predicted_x=30, spacing_x=0.5)])

    moved = read_rows(write_rows(tmp_path / "rows.csv", table.assign(predicted_x=10, predicted_x_mm=99)))

    assert moved["predicted_x_mm"][0] == 5


def test_a_table_of_before_without_millimetres_is_read(tmp_path):
    path = tmp_path / "old.csv"
    path.write_text("case,domain,landmark,predicted_x,error,unit,spacing_x\n1,head,a,30,1.5,mm,0.5\n")

    assert read_rows(path)[["case", "predicted_x", "error", "predicted_x_mm"]].values.tolist() == [["1", 30, 1.5, 15]]


def test_parquet_of_another_kind_is_refused_by_its_name(tmp_path):
    (tmp_path / "bad.parquet").write_bytes(b"not Parquet")
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "other.parquet")

    with pytest.raises(ValueError, match=r"bad\.parquet: "):
        read_rows(tmp_path / "bad.parquet")
    with pytest.raises(ValueError, match=r"other\.parquet: The header must have the columns"):
        read_rows(tmp_path / "other.parquet")


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
    table = result_table([row(predicted_z=3), row(landmark="b")])

    assert table["predicted_z"].tolist() == [3, pytest.approx(math.nan, nan_ok=True)]
    assert table["reference_z"].isna().all()


LPS = {"predicted_x_lps_mm": -7.0, "predicted_y_lps_mm": 8.0, "predicted_z_lps_mm": 9.0}
VOXELS = {"predicted_x": 1, "predicted_y": 2, "predicted_z": 3, "spacing_x": 0.5, "spacing_y": 0.5, "spacing_z": 2}


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_millimetres_of_a_volume_say_their_frame_and_are_read_back(tmp_path, ending):
    read = read_rows(write_rows(tmp_path / f"rows.{ending}", [row(**VOXELS, **LPS)]))

    assert [column for column in read if column.endswith("_mm")] == [
        f"{kind}_{axis}_lps_mm" for kind in ("reference", "predicted") for axis in "xyz"
    ]
    assert read[[*LPS]].values.tolist() == [[-7, 8, 9]]


def test_pictures_and_volumes_in_one_table_each_have_their_own_millimetres():
    flat, solid = result_table(
        [row(predicted_x=30, predicted_y=40, spacing_x=0.5, spacing_y=2), row(domain="skull", **VOXELS, **LPS)]
    ).to_dict("records")

    assert (flat["predicted_x_mm"], flat["predicted_y_mm"]) == (15, 80)
    assert math.isnan(flat["predicted_x_lps_mm"])
    assert (solid["predicted_x_lps_mm"], solid["predicted_z_lps_mm"]) == (-7, 9)
    assert math.isnan(solid["predicted_x_mm"])


def test_volumes_of_unknown_scale_have_no_column_in_millimetres():
    table = result_table([row(unit="px", predicted_x=1, predicted_y=2, predicted_z=3)])

    assert not [column for column in table if column.endswith("_mm")]


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
        result_table(rows)
    if len(rows[0]) > 1:
        with pytest.raises(ValueError, match=message):
            result_table(pd.DataFrame(rows))


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

    assert read_rows(path)["error"].tolist() == [1.0]
