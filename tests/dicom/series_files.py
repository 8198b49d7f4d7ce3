# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Series of CT for tests, valid by dciodvfy until a test breaks them, and enhanced objects of the bare geometry."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from dicom_files import make_dicom
from pydicom import uid
from pydicom.dataset import Dataset

RAS_OF_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def oblique_affine(spacing: Sequence[float] = (0.8, 1.1, 2.5), *, degrees: float = 20.0) -> np.ndarray:
    """(4, 4) index to RAS mm of slices that lie oblique in the patient: right-handed in LPS, at no round position."""
    a, b = np.deg2rad([degrees, degrees / 2])
    turn = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    turn = turn @ np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    affine = np.eye(4)
    affine[:3, :3] = turn * spacing
    affine[:3, 3] = -61.5, 42.25, 17.125
    return RAS_OF_LPS @ affine


def make_series(
    folder: str | Path,
    volume: np.ndarray,
    affine: np.ndarray,
    *,
    each: Callable[[int], Mapping[str, Any]] = lambda level: {},
    series: str = "series",
    **tags: Any,
) -> Path:
    """Write a volume as the slices of one CT series, whose file names are in no order.

    Args:
        folder: is made.
        volume: (W, H, D) stored values of 12 bits.
        affine: (4, 4) index to RAS mm; of any three axes at right angles, for the slices alone are written.
        each: elements of one slice by keyword, by its index along the third axis; they go before ``tags``.
        series: what SeriesInstanceUID, study and frame of reference are made of.
        tags: elements of all slices; see ``make_dicom``.
    """
    folder = Path(folder)
    for level in range(volume.shape[2]):
        name = f"IM{(level * 7 + 3) % 1009:04d}"
        tags_of_slice = {**_series_tags(series), **_plane(affine, level), **tags, **each(level)}
        instance = uid.generate_uid(entropy_srcs=[str(folder), series, str(level)])
        tags_of_slice = {"SOPInstanceUID": instance, "InstanceNumber": str(level + 1), **tags_of_slice}
        make_dicom(folder / name, volume[..., level].T, **tags_of_slice)
    return folder


def make_enhanced(
    path: str | Path, volume: np.ndarray, affine: np.ndarray, *, slope: Callable[[int], float], **tags: Any
) -> Path:
    """Write a volume as one enhanced CT object, with a rescaling of each frame and intercept -1024.

    Args:
        path: the file.
        volume: as for :func:`make_series`.
        affine: likewise.
        slope: RescaleSlope of a frame by its index.
        tags: elements of the top level.
    """
    plane = _plane(affine, 0)
    shared = _item(
        PixelMeasuresSequence=[_item(PixelSpacing=plane["PixelSpacing"], SliceThickness="1")],
        PlaneOrientationSequence=[_item(ImageOrientationPatient=plane["ImageOrientationPatient"])],
    )
    per_frame = [
        _item(
            PlanePositionSequence=[_item(ImagePositionPatient=_plane(affine, level)["ImagePositionPatient"])],
            PixelValueTransformationSequence=[
                _item(RescaleSlope=str(slope(level)), RescaleIntercept="-1024", RescaleType="HU")
            ],
        )
        for level in range(volume.shape[2])
    ]
    own = {key: value for key, value in _series_tags("enhanced").items() if not key.startswith("Rescale")}
    own |= {
        "SOPClassUID": uid.EnhancedCTImageStorage,
        "SharedFunctionalGroupsSequence": [shared],
        "PerFrameFunctionalGroupsSequence": per_frame,
    }
    return make_dicom(path, volume.transpose(2, 1, 0), **{**own, **tags})


def _series_tags(series: str) -> dict[str, Any]:
    """Modules of a CT image beside those of the CR that ``make_dicom`` makes."""
    return {
        "SOPClassUID": uid.CTImageStorage,
        "Modality": "CT",
        "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
        "StudyInstanceUID": uid.generate_uid(entropy_srcs=[series, "study"]),
        "SeriesInstanceUID": uid.generate_uid(entropy_srcs=[series, "series"]),
        "FrameOfReferenceUID": uid.generate_uid(entropy_srcs=[series, "frame of reference"]),
        "PositionReferenceIndicator": "",
        "BodyPartExamined": "HEAD",
        "ViewPosition": None,
        "Laterality": None,
        "PatientOrientation": None,
        "PatientPosition": "HFS",
        "KVP": "120",
        "AcquisitionNumber": "1",
        "SliceThickness": "1",
        "RescaleSlope": "1",
        "RescaleIntercept": "-1024",
        "RescaleType": "HU",
    }


def _plane(affine: np.ndarray, level: int) -> dict[str, Any]:
    """Where one slice of a volume lies; rows of pixels are the volume's second axis."""
    lps = RAS_OF_LPS @ affine
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    directions = (lps[:3, :2] / spacing[:2]).T
    return {
        "ImageOrientationPatient": [_decimal(number) for number in directions.ravel()],
        "ImagePositionPatient": [_decimal(number) for number in lps[:3, 3] + level * lps[:3, 2]],
        "PixelSpacing": [_decimal(number) for number in spacing[1::-1]],
    }


def _decimal(number: float) -> str:
    """Of the 16 characters that a decimal string may have."""
    return f"{number:.9f}"[:16]


def _item(**elements: Any) -> Dataset:
    item = Dataset()
    for keyword, value in elements.items():
        setattr(item, keyword, value)
    return item
