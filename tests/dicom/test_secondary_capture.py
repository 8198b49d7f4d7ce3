# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from dicom_files import make_dicom, picture
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from monai_gu2net.dicom import Derivation, DicomError, read_header
from monai_gu2net.dicom.secondary_capture import write_secondary_capture


def by_model(header: Dataset) -> Derivation:
    return Derivation(header, "GU2Net", "1.2 (abc)")


@pytest.fixture
def header(tmp_path: Path) -> Dataset:
    return read_header(make_dicom(tmp_path / "image.dcm", picture(), ImagerPixelSpacing=[0.1, 0.2]))


@pytest.fixture
def drawn(rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, 256, (5, 7, 3), dtype=np.uint8)  # an odd number of bytes


def test_the_picture_comes_back_pixel_for_pixel(tmp_path: Path, header: Dataset, drawn: np.ndarray) -> None:
    capture = pydicom.dcmread(write_secondary_capture(tmp_path / "case.sc.dcm", drawn, derivation=by_model(header)))
    assert (capture.PhotometricInterpretation, capture.NumberOfFrames) == ("RGB", 1)
    np.testing.assert_array_equal(capture.pixel_array, drawn)


def test_it_says_that_it_is_derived_from_the_image_and_that_something_is_burned_in(
    tmp_path: Path, header: Dataset, drawn: np.ndarray
) -> None:
    capture = pydicom.dcmread(write_secondary_capture(tmp_path / "case.sc.dcm", drawn, derivation=by_model(header)))
    assert list(capture.ImageType) == ["DERIVED", "SECONDARY"]
    assert capture.BurnedInAnnotation == "YES"
    assert capture.DerivationDescription == "Landmarks found by GU2Net 1.2 (abc), drawn on the image"
    assert capture.DerivationCodeSequence[0].CodeValue == codes.cid7203.SpatialResampling.value
    [source] = capture.SourceImageSequence
    assert source.ReferencedSOPInstanceUID == header.SOPInstanceUID
    purpose = codes.cid7202.SourceImageForImageProcessingOperation.value
    assert source.PurposeOfReferenceCodeSequence[0].CodeValue == purpose
    assert (capture.StudyInstanceUID, capture.PatientID) == (header.StudyInstanceUID, header.PatientID)
    assert capture.SeriesInstanceUID != header.SeriesInstanceUID
    assert not [keyword for keyword in ("PixelSpacing", "ImagerPixelSpacing") if keyword in capture]


def test_what_an_image_lost_in_compression_is_still_said(tmp_path: Path, drawn: np.ndarray) -> None:
    image = make_dicom(
        tmp_path / "image.dcm", picture(), LossyImageCompression="01", LossyImageCompressionRatio=[10, 2]
    )
    capture = pydicom.dcmread(
        write_secondary_capture(tmp_path / "case.sc.dcm", drawn, derivation=by_model(read_header(image)))
    )
    assert (capture.LossyImageCompression, list(capture.LossyImageCompressionRatio)) == ("01", [10, 2])


def test_the_same_picture_is_the_same_object(tmp_path: Path, header: Dataset, drawn: np.ndarray) -> None:
    uids = [
        pydicom.dcmread(
            write_secondary_capture(tmp_path / "a.sc.dcm", each, derivation=by_model(header))
        ).SOPInstanceUID
        for each in (drawn, drawn, 255 - drawn)
    ]
    assert uids[0] == uids[1] != uids[2]


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 4)])
def test_a_picture_without_three_colours_is_refused(tmp_path: Path, header: Dataset, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"A picture must be \(H, W, 3\) of 8 bits; got \(5, 7"):
        write_secondary_capture(tmp_path / "a.dcm", np.zeros(shape, np.uint8), derivation=by_model(header))


def test_an_image_that_is_not_identified_is_refused(tmp_path: Path, header: Dataset, drawn: np.ndarray) -> None:
    del header.StudyInstanceUID
    with pytest.raises(DicomError, match=r"^case\.sc\.dcm: the image's header must have \['StudyInstanceUID'\]"):
        write_secondary_capture(tmp_path / "case.sc.dcm", drawn, derivation=by_model(header))
    assert not (tmp_path / "case.sc.dcm").exists()
