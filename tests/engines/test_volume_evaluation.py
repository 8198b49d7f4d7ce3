# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Volumes measured from their files to the report."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import pytest
import torch
from nibabel.orientations import apply_orientation, axcodes2ornt, inv_ornt_aff, io_orientation, ornt_transform

from monai_gu2net.data import Datalist, Domain
from monai_gu2net.engines import evaluate_model
from monai_gu2net.evaluation import named_protocol
from monai_gu2net.measurements import Measurement
from monai_gu2net.networks import GU2Net, ModelCard, save_model

NAMES = ("a", "b", "c", "d")
TILT = Measurement("tilt", "line_plane_angle", ("d", "a", "a", "b", "c"))
DOMAIN = Domain("skull", NAMES, (16, 16, 16), target_spacing=(2.0, 2.0, 2.0), measurements=(TILT,))
WORLD = np.array([[4.0, 6, 8], [20, 6, 8], [4, 22, 10], [10, 12, 24]])  # RAS


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    network = GU2Net(3, 1, {"skull": len(NAMES)}, features=(4, 8), global_features=4, dilations=(1,))
    return save_model(tmp_path_factory.mktemp("m") / "m.pt", network, ModelCard({"skull": DOMAIN}, network.description))


def stored(path: Path, codes: str) -> dict[str, object]:
    """The same head along other axes of the file, and its landmarks in voxels of it."""
    volume = np.random.default_rng(0).integers(0, 200, (20, 16, 12)).astype(np.int16)
    affine = np.diag([1.5, 2, 2.5, 1])
    turn = ornt_transform(io_orientation(affine), axcodes2ornt(codes))
    affine = affine @ inv_ornt_aff(turn, volume.shape)
    nibabel.save(nibabel.Nifti1Image(np.ascontiguousarray(apply_orientation(volume, turn)), affine), path)
    voxels = nibabel.affines.apply_affine(np.linalg.inv(affine), WORLD).tolist()
    annotators = {"first": voxels, "second": np.add(voxels, [0.0, 0, 1]).tolist()}
    return {"image": path.name, "domain": "skull", "case": codes, "landmarks": voxels, "annotators": annotators}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Datalist:
    folder = tmp_path_factory.mktemp("data")
    cases = [stored(folder / f"{codes}.nii.gz", codes) for codes in ("RAS", "LPS", "SAL")]
    content = {"name": "skulls", "domains": {"skull": DOMAIN.to_dict()}, "test": cases}
    (folder / "datalist.json").write_text(json.dumps(content))
    return Datalist.load(folder / "datalist.json")


def test_volumes_stored_along_other_axes_have_the_same_report(model: Path, data: Datalist, tmp_path: Path) -> None:
    result = evaluate_model(model, data, output_dir=tmp_path, worst=1)

    assert result.failures == []
    table = result.table.set_index(["case", "landmark"])
    lps = {kind: [f"{kind}_{axis}_lps_mm" for axis in "xyz"] for kind in ("reference", "predicted")}
    for case in ("RAS", "LPS", "SAL"):
        np.testing.assert_allclose(table.loc[case, lps["reference"]], WORLD * (-1, -1, 1), atol=1e-9)
        np.testing.assert_allclose(table.loc[case, lps["predicted"]], table.loc["RAS", lps["predicted"]], atol=0.01)
    apart = table[lps["predicted"]].to_numpy() - table[lps["reference"]].to_numpy()
    np.testing.assert_allclose(table["error"], np.linalg.norm(apart, axis=1))

    measured = pd.read_csv(tmp_path / "measurements.csv")
    # d - a is (6, 6, 16); the normal of a, b, c is (0, -2, 16) by its cross product
    expected = np.degrees(np.arcsin((16 * 16 - 12) / np.linalg.norm([6, 6, 16]) / np.hypot(2, 16)))
    assert measured["reference"].tolist() == pytest.approx([expected] * 3)
    text = (tmp_path / "report.md").read_text()
    assert "## Measurements of skull" in text
    assert "## Directions of the errors of skull (mm)" in text
    assert len(list((tmp_path / "overlays").glob("*.png"))) == 2


def test_annotators_of_volumes_are_as_far_apart_as_their_voxels_are_long(
    model: Path, data: Datalist, tmp_path: Path
) -> None:
    apart = evaluate_model(model, data, output_dir=tmp_path, worst=0).annotators.set_index("comparison")
    # along the third axis of the file: 2.5 mm stored as RAS and as LPS, 1.5 mm stored as SAL
    assert apart.loc["first against second", "mre"] == pytest.approx((2.5 + 2.5 + 1.5) / 3)
    assert apart.loc["first against the ground truth", "mre"] == pytest.approx(0)


def test_the_papers_protocol_is_refused_before_the_network_runs(model: Path, data: Datalist, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"Domain 'skull' must be of pictures to be scored on a grid; got volumes"):
        evaluate_model(model, data, output_dir=tmp_path / "r", protocol=named_protocol("paper"))
    assert not (tmp_path / "r").exists()
