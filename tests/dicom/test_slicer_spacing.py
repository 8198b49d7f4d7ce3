# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The spacings that slicer-core 5.13 was seen to use; tests/integration/test_slicer.py asks it again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dicom_files import make_dicom, picture
from pydicom import uid

from monai_gu2net.dicom import read_header
from monai_gu2net.dicom.slicer_spacing import slicer_affine, slicer_note, slicer_spacing

PIXEL, IMAGER, SCANNED = (
    {"PixelSpacing": [0.25, 0.5]},
    {"ImagerPixelSpacing": [0.1, 0.2]},
    {"NominalScannedPixelSpacing": [0.3, 0.4]},
)
CR, DX = uid.ComputedRadiographyImageStorage, uid.DigitalXRayImageStorageForPresentation
SC, CT = uid.SecondaryCaptureImageStorage, uid.CTImageStorage


@pytest.mark.parametrize(
    ("sop_class", "tags", "expected"),
    [
        *((each, PIXEL, None) for each in (CR, DX)),
        *((each, IMAGER, (0.2, 0.1)) for each in (CR, DX)),
        *((each, PIXEL | IMAGER, (0.2, 0.1)) for each in (CR, DX)),
        (CR, IMAGER | PIXEL | {"PixelSpacingCalibrationType": "GEOMETRY"}, (0.2, 0.1)),
        (CR, IMAGER | {"EstimatedRadiographicMagnificationFactor": 1.1}, (0.2, 0.1)),
        (CR, SCANNED, None),
        (CR, {}, None),
        (CR, {"ImagerPixelSpacing": [0, 0]}, None),
        (CR, {"ImagerPixelSpacing": [0, 0.2]}, (0.2, 1.0)),
        (CR, {"ImagerPixelSpacing": [0.1]}, (0.1, 0.1)),
        (CR, {"ImagerPixelSpacing": b"abc\\def"}, None),
        (CR, {"ImagerPixelSpacing": ""}, None),
        (SC, PIXEL | IMAGER | SCANNED, (0.5, 0.25)),
        (SC, SCANNED, (0.4, 0.3)),
        (SC, IMAGER, None),
        (CT, PIXEL | IMAGER, (0.5, 0.25)),
        (CT, IMAGER | SCANNED, None),
    ],
)
def test_the_spacing_is_the_one_that_slicer_takes(
    sop_class: str, tags: dict[str, Any], expected: tuple[float, float] | None, tmp_path: Path
) -> None:
    header = read_header(make_dicom(tmp_path / "a.dcm", picture(), SOPClassUID=sop_class, **tags))
    assert slicer_spacing(header) == expected
    assert slicer_affine(header).diagonal().tolist() == [*(expected or (1.0, 1.0)), 1.0, 1.0]


def test_a_negative_spacing_turns_the_axis_as_in_slicer(tmp_path: Path) -> None:
    header = read_header(make_dicom(tmp_path / "a.dcm", picture(), ImagerPixelSpacing=[-0.1, 0.2]))
    np.testing.assert_allclose(slicer_affine(header) @ [3, 4, 0, 1], [0.6, -0.4, 0, 1])


def test_the_note_says_both_spacings(tmp_path: Path) -> None:
    header = read_header(make_dicom(tmp_path / "a.dcm", picture(), **PIXEL))
    assert slicer_note(header, None, "none") == (
        "Placed as 3D Slicer shows this image, at one unit a pixel, for it reads no spacing. "
        "Spacing of the image: unknown."
    )
