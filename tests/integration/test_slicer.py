# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""3D Slicer's libraries show point lists where the landmarks are, and what they save comes back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydicom import uid

from monai_gu2net.data import Domain
from monai_gu2net.dicom import read_header
from monai_gu2net.dicom.slicer_spacing import slicer_spacing
from monai_gu2net.landmarks.formats import read_markups
from monai_gu2net.sources import read_layout
from monai_gu2net.transforms import SaveLandmarksd

pytestmark = pytest.mark.integration

_ROOT = Path(__file__).parents[2]

NAMES = ("sella", "Übergang 山田", "absent")
PIXELS = [[17.25, 30.5], [43.0, 0.0], [np.nan, np.nan]]
PIXEL, IMAGER = {"PixelSpacing": [0.25, 0.125]}, {"ImagerPixelSpacing": [0.2, 0.1]}
CASES: dict[str, dict[str, Any]] = {
    "pixel": PIXEL,
    "imager": IMAGER,
    "both": PIXEL | IMAGER,
    "dx": PIXEL | IMAGER | {"SOPClassUID": uid.DigitalXRayImageStorageForPresentation, "Modality": "DX"},
    "captured": PIXEL | IMAGER | {"SOPClassUID": uid.SecondaryCaptureImageStorage},
    "bare": {},
}


@pytest.fixture(scope="module")
def seen(
    make_dicom: Callable[..., Path],
    tmp_path_factory: pytest.TempPathFactory,
    look_in_slicer: Callable[..., Any],
) -> dict[str, Any]:
    """What Slicer saw of each case, with the folder in which each has its files."""
    folder = tmp_path_factory.mktemp("slicer")
    domains = {"d": Domain("d", NAMES, (32, 32))}
    save = SaveLandmarksd(output_dir=folder / "found", domains=domains, formats=["mrk.json"])
    arguments: list[str] = []
    for case, tags in CASES.items():
        image = make_dicom(folder / f"{case}.dcm", np.arange(36 * 44, dtype=np.uint16).reshape(36, 44), **tags)
        sample = {
            "case": case,
            "domain": "d",
            "image_file": str(image),
            "unit": "mm",  # whatever scale the results are in
            "spacing_source": "given",
            "file_affine": torch.diag(torch.tensor([0.5, 0.25, 1.0, 1.0], dtype=torch.float64)),
            "pred_landmarks": torch.tensor(PIXELS, dtype=torch.float64) * torch.tensor([0.5, 0.25]),
            "pred_confidence": torch.tensor([0.5, 0.25, 0.0]),
        }
        save(sample)
        (folder / f"placed-{case}").mkdir()
        (folder / f"placed-{case}" / image.name).write_bytes(image.read_bytes())
        again = [folder / f"{case}.again.mrk.json", folder / f"placed-{case}" / f"{case}.mrk.json"]
        arguments += map(str, (image, folder / "found" / f"{case}.mrk.json", *again))
    told = look_in_slicer(arguments)
    return {"folder": folder, **dict(zip(CASES, told, strict=True))}


@pytest.mark.parametrize("case", CASES)
def test_slicer_shows_every_point_within_a_twentieth_of_a_pixel(seen: dict[str, Any], case: str) -> None:
    points = seen[case]["points"]
    assert seen[case]["messages"] == []
    assert list(points) == list(NAMES)
    assert [status for status, *_ in points.values()] == ["defined", "defined", "undefined"]
    shown = np.array([pixel for status, pixel, _ in points.values() if status == "defined"])
    np.testing.assert_allclose(shown, [[*point, 0.0] for point in PIXELS[:2]], rtol=0, atol=0.05)


@pytest.mark.parametrize("case", CASES)
def test_slicer_takes_the_spacing_that_is_expected_of_it(seen: dict[str, Any], case: str) -> None:
    expected = slicer_spacing(read_header(seen["folder"] / f"{case}.dcm")) or (1.0, 1.0)
    np.testing.assert_allclose(seen[case]["spacing"], expected)


@pytest.mark.parametrize("case", CASES)
def test_a_list_that_slicer_saves_again_is_the_same(seen: dict[str, Any], case: str) -> None:
    before = read_markups(seen["folder"] / "found" / f"{case}.mrk.json")
    after = read_markups(seen["folder"] / f"{case}.again.mrk.json")
    assert after.names == before.names == NAMES
    np.testing.assert_allclose(after.points, before.points, rtol=0, atol=1e-9)


@pytest.mark.parametrize("case", CASES)
def test_points_placed_in_slicer_are_prepared_at_their_pixels(seen: dict[str, Any], case: str) -> None:
    data = read_layout(seen["folder"] / f"placed-{case}", domain="d", test=0, validation=0)
    [prepared] = data.training
    np.testing.assert_allclose(prepared["landmarks"], [[3.25, 4.5], [10.0, 20.0]], rtol=0, atol=1e-6)
