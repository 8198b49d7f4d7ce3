# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""A picture of an image and its landmarks as a secondary capture, for viewers that show nothing else of them."""

from __future__ import annotations

import hashlib
import os
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import MultiFrameTrueColorSecondaryCaptureImageStorage

from monai_gu2net.dicom.codes import SOURCE_IMAGE, SPATIAL_RESAMPLING, Code
from monai_gu2net.dicom.derived_uid import derived_uid
from monai_gu2net.dicom.display import laterality
from monai_gu2net.dicom.silence import silent_pydicom
from monai_gu2net.dicom.study_object import dicom_text, image_reference, object_in_study, require_writers, write_whole

__all__ = ["write_secondary_capture"]

_SERIES_NUMBER = 9804
_LOSSY = ("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod")


def write_secondary_capture(
    path: str | os.PathLike[str],
    picture: NDArray[np.uint8],
    *,
    header: Dataset,
    model: str,
    model_version: str,
    sop_instance_uid: str | None = None,
    now: datetime | None = None,
) -> Path:
    """Write a picture of an image as a Multi-frame True Color Secondary Capture of its study, in a series of its own.

    It says that it is derived from the image, and that annotations are burned into it. It has no spacing, so that no
    viewer measures in it.

    Args:
        path: the file; written whole or not at all.
        picture: (H, W, 3) red, green, blue.
        header: of the image, see :func:`~monai_gu2net.dicom.read_header`. Patient and study come from it.
        model: name of what found the landmarks.
        model_version: its version.
        sop_instance_uid: of the capture. By default it is derived from the image, the model and the picture.
        now: when it is made, in local time; by default now.

    Returns:
        The path.

    Raises:
        ImportError: the packages that write DICOM are not installed.
        DicomError: the header does not say which image this is.
        ValueError: the picture has another shape or type.

    Source: DICOM PS3.3, A.8.5, C.7.6.1 (derivation), C.8.6.1 and C.8.6.3; PS3.16, CID 7202 and 7203.
    """
    require_writers()
    path = Path(path)
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
        raise ValueError(
            f"A picture must be (H, W, 3) of 8 bits; got {picture.shape} of {picture.dtype}. Draw it in colour."
        )
    digest = hashlib.sha256(picture.tobytes()).hexdigest()
    uid = sop_instance_uid or derived_uid(str(header.get("SOPInstanceUID")), model, model_version, "SC", digest)
    capture = object_in_study(
        header,
        name=path.name,
        sop_class_uid=MultiFrameTrueColorSecondaryCaptureImageStorage,
        modality="OT",
        series_number=_SERIES_NUMBER,
        series_description="Landmarks, drawn",
        model=model,
        model_version=model_version,
        sop_instance_uid=uid,
        now=now or datetime.now(),
    )
    capture.ConversionType = "WSD"
    capture.ImageType = ["DERIVED", "SECONDARY"]
    capture.ContentDate, capture.ContentTime = capture.InstanceCreationDate, capture.InstanceCreationTime
    capture.BurnedInAnnotation = "YES"
    capture.DerivationDescription = dicom_text(f"Landmarks found by {model} {model_version}, drawn on the image")
    capture.DerivationCodeSequence = [_item(SPATIAL_RESAMPLING)]
    source = image_reference(header)
    source.PurposeOfReferenceCodeSequence = [_item(SOURCE_IMAGE)]
    capture.SourceImageSequence = [source]
    with silent_pydicom():
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
    return write_whole(path, capture)


def _item(code: Code) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code
    return item
