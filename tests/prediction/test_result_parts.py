# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Parquet parts as the record of what is done."""

from __future__ import annotations

import json
import math
import uuid
from pathlib import Path
from typing import Any

import fsspec
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from monai_gu2net.evaluation import result_columns, result_table
from monai_gu2net.prediction.result_parts import ResultParts, result_block, result_schema

SCHEMA = result_schema()
RUN = {"model": {"name": "net", "version": "1"}, "domain": "knee", "options": {"tta": 1, "spacing": (0.5, 0.5)}}


def row(case: str, landmark: str = "a", **more: Any) -> dict[str, Any]:
    return {"case": case, "domain": "knee", "landmark": landmark, "error": math.nan, "unit": "px", **more}


def failure(case: str) -> dict[str, str]:
    return {"case": case, "domain": "knee", "reason": "broken"}


def block(found: list[str], failed: list[str] | None = None) -> pa.Table:
    return result_block([row(case) for case in found], [failure(case) for case in failed or []], schema=SCHEMA)


@pytest.fixture(params=["local", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A local folder, and one in an object store."""
    return str(tmp_path / "out") if request.param == "local" else f"memory://{uuid.uuid4().hex}"


def test_a_run_that_starts_again_knows_what_is_done_and_what_failed(folder: str) -> None:
    with ResultParts(folder, schema=SCHEMA) as parts:
        parts.begin(RUN)
        assert [len(parts.finished()[0]), parts.finished()[1]] == [0, 0]
        parts.write([block(["1", "2"]), block(["3"], ["4"])])
        parts.write([block([], ["5"])])
    with ResultParts(folder, schema=SCHEMA) as parts:
        parts.begin(RUN)
        cases, failed = parts.finished()
        assert sorted(cases.to_pylist()) == ["1", "2", "3", "4", "5"]
        assert failed == 2
        parts.forget_failures()
        cases, failed = parts.finished()
        assert (sorted(cases.to_pylist()), failed) == (["1", "2", "3"], 0)


def test_every_part_has_all_columns_whatever_is_known_of_its_images(tmp_path: Path) -> None:
    scaled = row("2", unit="mm", predicted_x=3.0, predicted_y=4, spacing_x=0.5, spacing_y=0.25, confidence=0.5)
    with ResultParts(tmp_path, schema=SCHEMA) as parts:
        parts.write([block(["1"])])
        parts.write([result_block([scaled], [], schema=SCHEMA)])
    read = [pq.read_table(path) for path in (tmp_path / "landmarks").iterdir()]
    assert [table.column_names for table in read] == [list(result_columns())] * 2
    assert read[0].schema.equals(read[1].schema, check_metadata=True)
    table = pd.read_parquet(tmp_path / "landmarks").set_index("case")
    assert math.isnan(table.loc["1", "predicted_x_mm"])
    assert (table.loc["2", "predicted_x_mm"], table.loc["2", "predicted_y_mm"]) == (1.5, 1.0)
    assert dict(table.dtypes.astype(str))["spacing_source"] == "string"


def test_volumes_have_a_third_axis_in_every_part() -> None:
    schema = result_schema("xyz")
    known = row("1", predicted_x=1, predicted_y=2, predicted_z=3, unit="mm", spacing_x=2.0, predicted_z_lps_mm=-4.5)
    made = result_block([known, row("2", predicted_x=1, predicted_y=2, predicted_z=3)], [], schema=schema)
    assert made.select(schema.names).column_names == list(result_columns("xyz"))
    assert made["predicted_z"].to_pylist() == [3.0, 3.0]
    assert made["predicted_z_lps_mm"].to_pylist() == [-4.5, None]
    assert not [name for name in schema.names if name.endswith("_mm") and not name.endswith("_lps_mm")]


def test_parts_read_back_are_the_table_of_their_rows(tmp_path: Path) -> None:
    rows = [row(case, landmark, predicted_x=0.1 + 0.2) for case in ("1", "2") for landmark in ("a", "b")]
    with ResultParts(tmp_path, schema=SCHEMA) as parts:
        parts.write([result_block(rows, [], schema=SCHEMA)])
    pd.testing.assert_frame_equal(result_table(pd.read_parquet(tmp_path / "landmarks")), result_table(rows))


@pytest.mark.parametrize(
    "other",
    [
        {"model": {"name": "net", "version": "2"}},
        {"domain": "hand"},
        {"options": {"tta": 4, "spacing": (0.5, 0.5)}},
    ],
)
def test_results_of_another_model_or_of_other_options_are_not_mixed(folder: str, other: dict[str, Any]) -> None:
    with ResultParts(folder, schema=SCHEMA) as parts:
        parts.begin(RUN)
        with pytest.raises(
            ValueError, match=rf"must be of one model and the same options; got {next(iter(other))} .*2|hand|4"
        ):
            parts.begin({**RUN, **other})
        parts.begin(RUN)


def test_parts_of_unknown_origin_are_refused(tmp_path: Path) -> None:
    with ResultParts(tmp_path, schema=SCHEMA) as parts:
        parts.write([block(["1"])])
        with pytest.raises(ValueError, match=r"must have the run\.json that says of which model; got none"):
            parts.begin(RUN)


def test_a_local_folder_belongs_to_one_run_at_a_time(tmp_path: Path) -> None:
    with (
        ResultParts(tmp_path, schema=SCHEMA),
        pytest.raises(OSError, match=r"must belong to one run; got .* which another one has"),
    ):
        ResultParts(tmp_path, schema=SCHEMA)
    with ResultParts(tmp_path, schema=SCHEMA):
        pass


def test_what_a_killed_run_left_half_written_is_removed(tmp_path: Path) -> None:
    left = tmp_path / "landmarks" / ".part-1.parquet.abc.part"
    left.parent.mkdir()
    left.write_bytes(b"half")
    with ResultParts(tmp_path, schema=SCHEMA) as parts:
        assert len(parts.finished()[0]) == 0
    assert not left.exists()


@pytest.mark.parametrize("damage", ["cut", "columns"])
def test_a_damaged_part_is_named(tmp_path: Path, damage: str) -> None:
    with ResultParts(tmp_path, schema=SCHEMA) as parts:
        parts.write([block(["1"])])
        [path] = (tmp_path / "landmarks").iterdir()
        if damage == "cut":
            path.write_bytes(path.read_bytes()[:-20])
        else:
            pq.write_table(pa.table({"case": ["1"]}), path)
        with pytest.raises(ValueError, match=rf"{path.name} must be a whole part of such results; got .*done again"):
            parts.finished()


def test_an_object_store_gets_whole_objects() -> None:
    folder = f"memory://{uuid.uuid4().hex}"
    with ResultParts(folder, schema=SCHEMA) as parts:
        parts.begin(RUN)
        parts.write([block(["1"], ["2"])])
    names = fsspec.filesystem("memory").find(folder.removeprefix("memory:/"))
    assert sorted(name.split("/")[2] for name in names) == ["failures", "landmarks", "run.json"]
    written = json.loads(fsspec.filesystem("memory").cat(next(name for name in names if name.endswith("run.json"))))
    assert written["options"] == {"tta": 1, "spacing": [0.5, 0.5]}
