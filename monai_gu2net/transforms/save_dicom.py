# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Writing the landmarks found in a DICOM image into the study of that image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from monai_gu2net.dicom import is_dicom, read_header
from monai_gu2net.dicom.presentation_state import write_presentation_state
from monai_gu2net.dicom.readable_report import write_readable_report
from monai_gu2net.dicom.structured_report import write_structured_report
from monai_gu2net.dicom.study_object import require_writers
from monai_gu2net.measurements import Measured
from monai_gu2net.transforms.found import Found
from monai_gu2net.transforms.result_formats import OBJECTS

__all__ = ["DicomResults"]

_ENDINGS = {"sr": "sr.dcm", "text": "text.dcm", "gsps": "pr.dcm"}


class DicomResults:
    """Writes SR and GSPS of images that are DICOM; for others it writes nothing.

    Args:
        formats: among "sr" and "gsps".
        model: ``name`` and ``version`` of what found the landmarks, or its name alone.
        sop_instance_uids: of the objects by their names in OBJECTS, where only one case is saved; by default they are
            derived from the image and the result.

    Raises:
        ImportError: a format is asked for and the packages that write DICOM are not installed.
    """

    def __init__(
        self,
        formats: Sequence[str],
        *,
        model: Mapping[str, str] | str,
        sop_instance_uids: Mapping[str, str] | None = None,
    ) -> None:
        if formats:
            require_writers()
        self.formats, self.uids = tuple(formats), dict(sop_instance_uids or {})
        about = {"name": model} if isinstance(model, str) else model
        self.model, self.version = about.get("name", "GU2Net"), about.get("version", "unknown")

    def save(self, stem: Path, found: Found, measurements: Sequence[Measured]) -> None:
        """Write the files of a case.

        Args:
            stem: folder and name, to which the endings are added.
            found: what they state.
            measurements: made between the landmarks.
        """
        image = found.image_file
        if not self.formats or image is None or found.dims != 2 or not is_dicom(image):
            return
        header = read_header(image)
        parameters = [f"spacing source: {found.spacing_source}", *([found.orientation] if found.orientation else [])]
        for kind in (each for name in self.formats for each in OBJECTS[name]):
            path = stem.with_name(f"{stem.name}.{_ENDINGS[kind]}")
            uid = self.uids.get(kind)
            if kind == "sr":
                write_structured_report(
                    path,
                    found.landmarks,
                    header=header,
                    confidence=found.confidence,
                    radius_px=found.radius_px,
                    radius_mm=found.radius if found.unit == "mm" else None,
                    model=self.model,
                    model_version=self.version,
                    parameters=parameters,
                    measurements=measurements,
                    sop_instance_uid=uid,
                )
            elif kind == "text":
                write_readable_report(
                    path,
                    found.landmarks,
                    header=header,
                    model=self.model,
                    model_version=self.version,
                    parameters=parameters,
                    measurements=measurements,
                    sop_instance_uid=uid,
                )
            elif header.get("SamplesPerPixel", 1) == 1:  # a presentation state of a colour image is another object
                write_presentation_state(
                    path,
                    found.landmarks,
                    header=header,
                    radius_px=found.radius_index,
                    model=self.model,
                    model_version=self.version,
                    sop_instance_uid=uid,
                )
