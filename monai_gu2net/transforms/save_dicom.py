# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Writing the landmarks found in a DICOM image into the study of that image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pydicom.dataset import Dataset

from monai_gu2net.dicom import is_dicom, read_header, series_headers
from monai_gu2net.dicom.presentation_state import write_presentation_state
from monai_gu2net.dicom.readable_report import write_readable_report
from monai_gu2net.dicom.structured_report import write_structured_report
from monai_gu2net.dicom.study_object import Derivation
from monai_gu2net.measurements import Measured
from monai_gu2net.transforms.found import Found
from monai_gu2net.transforms.result_formats import OBJECTS

__all__ = ["save_dicom"]

_ENDINGS = {"sr": "sr.dcm", "text": "text.dcm", "gsps": "pr.dcm"}


def save_dicom(
    stem: Path,
    found: Found,
    measurements: Sequence[Measured],
    *,
    formats: Sequence[str],
    model: Mapping[str, str],
    sop_instance_uids: Mapping[str, str],
) -> None:
    """Write SR and GSPS of a case whose image is DICOM; of a picture nothing is written.

    Args:
        stem: folder and name, to which the endings are added.
        found: what the files state.
        measurements: made between the landmarks.
        formats: among "sr" and "gsps", of a volume "sr".
        model: ``name`` and ``version`` of what found the landmarks.
        sop_instance_uids: of the objects by their names in OBJECTS; one that is not there is derived from the image and
            the result.

    Raises:
        ValueError: the image is a volume that is no DICOM series, or DICOM that does not say whose and where it is.
    """
    image = found.image_file
    if not formats or (found.dims == 2 and (image is None or not is_dicom(image))):
        return
    slices = _slices(stem, image) if found.dims == 3 else ()
    header = slices[0] if slices else read_header(str(image))
    parameters = [f"spacing source: {found.spacing_source}", *filter(None, (found.orientation, found.polarity))]
    for kind in (each for name in formats for each in OBJECTS[name]):
        path = stem.with_name(f"{stem.name}.{_ENDINGS[kind]}")
        uid = sop_instance_uids.get(kind)
        derivation = Derivation(header, model["name"], model["version"], uid, slices=slices)
        if kind == "sr":
            write_structured_report(
                path,
                found.landmarks,
                derivation=derivation,
                confidence=found.confidence,
                radius_px=found.radius_px if found.dims == 2 else None,  # a voxel's sides differ
                radius_mm=found.radius if found.unit == "mm" else None,
                parameters=parameters,
                measurements=measurements,
            )
        elif kind == "text":
            write_readable_report(
                path, found.landmarks, derivation=derivation, parameters=parameters, measurements=measurements
            )
        elif header.get("SamplesPerPixel", 1) == 1:  # a presentation state of a colour image is another object
            write_presentation_state(path, found.landmarks, derivation=derivation, radius_px=found.radius_index)


def _slices(stem: Path, image: str | None) -> tuple[Dataset, ...]:
    """The headers of a volume's objects."""
    if image is None or not (Path(image).is_dir() or is_dicom(image)):
        raise ValueError(
            f"{stem.name}: a structured report must be about a volume that is DICOM, for it is of its study; got "
            f"{'no file' if image is None else Path(image).name}. Give its DICOM series, or leave out the format sr."
        )
    return tuple(series_headers(image))
