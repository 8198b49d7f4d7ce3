# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""A picture of an image and its landmarks as a secondary capture, for viewers that show nothing else of them."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import MultiFrameTrueColorSecondaryCaptureImageStorage

from monai_gu2net.dicom.codes import SOURCE_IMAGE, SPATIAL_RESAMPLING
from monai_gu2net.dicom.display import laterality
from monai_gu2net.dicom.report_items import concept
from monai_gu2net.dicom.study_object import Derivation, StudyObject, dicom_text, image_reference

__all__ = ["write_secondary_capture"]

_LOSSY = ("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod")


def write_secondary_capture(
    path: str | os.PathLike[str], picture: NDArray[np.uint8], *, derivation: Derivation
) -> Path:
    """Write a picture of an image as a Multi-frame True Color Secondary Capture of its study, in a series of its own.

    It says that it is derived from the image, and that annotations are burned into it. It has no spacing, so that no
    viewer measures in it.

    Args:
        path: the file; written whole or not at all.
        picture: (H, W, 3) red, green, blue.
        derivation: which image that is, and what found the landmarks in it.

    Returns:
        The path.

    Raises:
        ImportError: the packages that write DICOM are not installed.
        DicomError: the header does not say which image this is.
        ValueError: the picture has another shape or type.

    Source: DICOM PS3.3, A.8.5, C.7.6.1 (derivation), C.8.6.1 and C.8.6.3; PS3.16, CID 7202 and 7203.
    """
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
        raise ValueError(
            f"A picture must be (H, W, 3) of 8 bits; got {picture.shape} of {picture.dtype}. Draw it in colour."
        )
    header = derivation.header
    drawn = hashlib.sha256(picture.tobytes()).hexdigest()
    captured = StudyObject(path, derivation, (9804, "Landmarks, drawn"), ("SC", drawn))

    def make(image: Dataset, frame: dict[str, Any]) -> Dataset:
        from highdicom import SOPClass

        # SCImage of highdicom 0.28.2 is of one frame, and asks for an orientation, which not all images have
        capture = SOPClass(
            image.StudyInstanceUID,
            sop_class_uid=MultiFrameTrueColorSecondaryCaptureImageStorage,
            modality="OT",
            **frame,
        )
        capture.ConversionType = "WSD"
        capture.ImageType = ["DERIVED", "SECONDARY"]
        capture.BurnedInAnnotation = "YES"
        capture.DerivationDescription = dicom_text(f"Landmarks found by {derivation.by}, drawn on the image")
        capture.DerivationCodeSequence = [concept(SPATIAL_RESAMPLING)]
        source = image_reference(header)
        source.PurposeOfReferenceCodeSequence = [concept(SOURCE_IMAGE)]
        capture.SourceImageSequence = [source]
        capture.Laterality = laterality(header)
        capture.PatientOrientation = header.get("PatientOrientation")
        if header.get("LossyImageCompression") == "01":  # what was lost once stays lost
            for keyword in _LOSSY:
                if keyword in header:
                    setattr(capture, keyword, header.get(keyword))
        capture.NumberOfFrames = 1
        capture.Rows, capture.Columns = picture.shape[:2]
        capture.SamplesPerPixel, capture.PhotometricInterpretation, capture.PlanarConfiguration = 3, "RGB", 0
        capture.BitsAllocated, capture.BitsStored, capture.HighBit, capture.PixelRepresentation = 8, 8, 7, 0
        content = picture.tobytes()
        capture.PixelData = content + b"\0" * (len(content) % 2)
        capture["PixelData"].VR = "OB"
        return capture

    return captured.write(make)
