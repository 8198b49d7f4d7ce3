# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""CT series for tests, valid by dciodvfy until a test breaks them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from dicom_files import make_dicom
from pydicom import uid
from pydicom.valuerep import format_number_as_ds


def decimal(value: float) -> str:
    """A number as DICOM writes it, in at most 16 characters."""
    return str(format_number_as_ds(float(value)))


def make_series(
    folder: Path,
    voxels: np.ndarray,
    *,
    spacing: Sequence[float] = (0.7, 0.9, 1.5),
    axes: np.ndarray | None = None,
    origin: Sequence[float] = (-30.0, 20.0, 110.0),
    uids: str = "",
    **tags: Any,
) -> list[Path]:
    """Write a CT series, a file per slice.

    Args:
        folder: of the files, which are made.
        voxels: (columns, rows, slices) stored values.
        spacing: mm from column to column, from row to row, from slice to slice.
        axes: (3, 3) whose columns are the directions of the three axes in LPS; by default an axial series.
        origin: the first voxel's centre in LPS mm.
        uids: which study and frame of reference it is of; by default those of the folder.
        tags: further elements by keyword; None leaves one out.

    Returns:
        The files, in the order of the slices, whose names are in another one.
    """
    axes, source = np.eye(3) if axes is None else axes, uids or str(folder)
    study, series, space = (
        str(uid.generate_uid(entropy_srcs=[each, kind]))
        for each, kind in ((source, "study"), (str(folder), "series"), (source, "frame of reference"))
    )
    paths = []
    for number in range(voxels.shape[2]):
        position = np.asarray(origin) + axes[:, 2] * spacing[2] * number
        placed: dict[str, Any] = {
            "SOPClassUID": uid.CTImageStorage,
            "Modality": "CT",
            "StudyInstanceUID": study,
            "SeriesInstanceUID": series,
            "FrameOfReferenceUID": space,
            "PositionReferenceIndicator": "",
            "InstanceNumber": number + 1,
            "ImagePositionPatient": list(map(decimal, position)),
            "ImageOrientationPatient": list(map(decimal, axes[:, :2].T.ravel())),
            "PixelSpacing": [decimal(spacing[1]), decimal(spacing[0])],
            "SliceThickness": decimal(spacing[2]),
            "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
            "RescaleIntercept": "-1024",
            "RescaleSlope": "1",
            "RescaleType": "HU",
            "KVP": "120",
            "AcquisitionNumber": "1",
            "BodyPartExamined": "HEAD",
            "PatientPosition": "HFS",
            "PatientOrientation": None,
            "Laterality": None,
            "ViewPosition": None,
        }
        path = folder / f"{(number * 7 + 3) % 101:03d}_{number}.dcm"
        paths.append(make_dicom(path, voxels[:, :, number].T.astype(np.uint16), **(placed | tags)))
    return paths
