# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import itk
import numpy as np
import pydicom
import pytest
from dicom_files import HTJ2K_CODESTREAM, make_dicom, picture
from pydicom import uid
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

from monai_gu2net.dicom import DicomError, Limits, read_radiograph
from monai_gu2net.dicom.codestream import codestream_size
from monai_gu2net.dicom.header import read_image
from monai_gu2net.dicom.pixels import read_pixels

SYNTAXES = [
    uid.ImplicitVRLittleEndian,
    uid.ExplicitVRLittleEndian,
    uid.ExplicitVRBigEndian,
    uid.RLELossless,
    uid.JPEG2000Lossless,
    uid.HTJ2KLossless,
    uid.JPEGLSLossless,
    uid.JPEGLossless,
    uid.JPEGLosslessSV1,
]


def read(path: Path, *, frame: int | None = None, colour: bool = False, limits: Limits | None = None) -> np.ndarray:
    """In this process."""
    limits = limits or Limits()
    image = read_image(path, limits=limits)
    return read_pixels(image, name=path.name, limits=limits, frame=frame, colour=colour)


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda syntax: syntax.keyword)
def test_every_transfer_syntax_gives_the_same_pixels_with_their_polarity_and_spacing(
    tmp_path: Path, syntax: uid.UID
) -> None:
    path = make_dicom(
        tmp_path / "a.dcm",
        picture(),
        photometric="MONOCHROME1",
        transfer_syntax=syntax,
        codestream=HTJ2K_CODESTREAM if syntax == uid.HTJ2KLossless else None,
        ImagerPixelSpacing=[0.143, 0.143],
    )
    twin = make_dicom(tmp_path / "twin.dcm", 4095 - picture())
    found = read_radiograph(path)
    np.testing.assert_array_equal(found.pixels, 4095.0 - picture().T)
    np.testing.assert_array_equal(found.pixels, read_radiograph(twin).pixels)
    assert found.pixels.dtype == np.float32
    assert found.pixels.flags.c_contiguous
    assert (found.spacing, found.spacing_source) == ((0.143, 0.143), "detector")
    assert found.metadata["transfer_syntax"] == syntax


def test_jpeg_extended_of_twelve_bits_gives_what_dcmtk_gives() -> None:
    found = read_radiograph(get_testdata_file("JPGExtended.dcm"))
    # dcmdjpeg of dcmtk 3.6.7
    assert found.pixels.shape == (256, 1024)
    assert (found.pixels.max(), found.pixels.astype(np.int64).sum()) == (264, 3767007)


# ITK's modules, loaded at first use, crash where this warning of SWIG's types is an error. ITK does not read signed
# MONOCHROME1 of 12 bits.
@pytest.mark.filterwarnings("ignore:builtin type \\w+ has no __module__ attribute:DeprecationWarning")
@pytest.mark.parametrize(
    ("photometric", "bits_stored", "signed"),
    [
        ("MONOCHROME1", 8, False),
        ("MONOCHROME1", 12, False),
        ("MONOCHROME1", 16, False),
        ("MONOCHROME1", 16, True),
        ("MONOCHROME2", 8, False),
        ("MONOCHROME2", 12, False),
        ("MONOCHROME2", 16, False),
        ("MONOCHROME2", 12, True),
        ("MONOCHROME2", 16, True),
    ],
)
def test_values_are_those_that_itk_reads(
    tmp_path: Path, rng: np.random.Generator, photometric: str, bits_stored: int, signed: bool
) -> None:
    low = -(2 ** (bits_stored - 1)) if signed else 0
    stored = rng.integers(low, low + 2**bits_stored, (9, 14))
    path = make_dicom(tmp_path / "a.dcm", stored, photometric=photometric, bits_stored=bits_stored, signed=signed)
    expected = itk.GetArrayFromImage(itk.imread(str(path)))[0].astype(np.float64)
    np.testing.assert_array_equal(read(path), expected.T)


@pytest.mark.parametrize(
    ("photometric", "shape", "inverse"),
    [
        ("MONOCHROME1", None, True),
        ("MONOCHROME2", None, False),
        ("MONOCHROME1", "INVERSE", True),
        ("MONOCHROME2", "INVERSE", True),
        ("MONOCHROME1", "IDENTITY", False),
        ("MONOCHROME2", "IDENTITY", False),
        ("MONOCHROME1", b"", True),
    ],
)
@pytest.mark.parametrize("signed", [False, True])
def test_an_image_is_inverted_once_or_not_at_all(
    tmp_path: Path, photometric: str, shape: Any, inverse: bool, signed: bool
) -> None:
    stored = picture().astype(int) - (2048 if signed else 0)
    path = make_dicom(tmp_path / "a.dcm", stored, photometric=photometric, signed=signed, PresentationLUTShape=shape)
    expected = ((-1 if signed else 4095) - stored) if inverse else stored
    np.testing.assert_array_equal(read(path), expected.T)


def test_the_slope_is_applied_after_the_inversion(tmp_path: Path) -> None:
    path = make_dicom(
        tmp_path / "a.dcm", picture(), photometric="MONOCHROME1", RescaleSlope="0.3", RescaleIntercept="-100.7"
    )
    expected = ((4095 - picture().astype(np.float64)) * 0.3 - 100.7).astype(np.float32)
    np.testing.assert_array_equal(read(path), expected.T)


def test_a_negative_slope_is_applied(tmp_path: Path) -> None:
    path = make_dicom(tmp_path / "a.dcm", picture(), RescaleSlope="-1", RescaleIntercept="4095")
    np.testing.assert_array_equal(read(path), 4095.0 - picture().T)


def test_an_intercept_alone_is_applied(tmp_path: Path) -> None:
    path = make_dicom(tmp_path / "a.dcm", picture(), RescaleIntercept="-1000")
    np.testing.assert_array_equal(read(path), picture().T - 1000.0)


@pytest.mark.parametrize("slope", [b"nan", b"inf", b"abc", b"1\\2"])
def test_a_slope_that_is_no_number_is_refused(tmp_path: Path, slope: bytes) -> None:
    path = make_dicom(tmp_path / "a.dcm", picture(), RescaleSlope=slope)
    with pytest.raises(DicomError, match=r"^a\.dcm: RescaleSlope must be one finite number; it is not"):
        read(path)


def test_a_slope_of_0_is_refused(tmp_path: Path) -> None:
    path = make_dicom(tmp_path / "a.dcm", picture(), RescaleSlope="0", RescaleIntercept="1")
    with pytest.raises(DicomError, match=r"^a\.dcm: RescaleSlope must not be 0"):
        read(path)


def test_values_beyond_float32_are_refused(tmp_path: Path) -> None:
    path = make_dicom(tmp_path / "a.dcm", picture(), RescaleSlope="1e300")
    with pytest.raises(DicomError, match=r"^a\.dcm: pixel values must be finite in 32 bits"):
        read(path)


def lut(first: int, table: np.ndarray, *, signed: bool = False, bits: int = 16, count: int | None = None) -> Dataset:
    item = Dataset()
    item.add_new("LUTDescriptor", "SS" if signed else "US", [count if count is not None else len(table), first, bits])
    item.add_new("LUTData", "US", table.tolist())
    item.ModalityLUTType = "US"
    return item


@pytest.mark.parametrize("syntax", [uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian])
def test_a_modality_lut_is_applied(tmp_path: Path, rng: np.random.Generator, syntax: uid.UID) -> None:
    table = rng.integers(0, 65536, 3000)
    path = make_dicom(tmp_path / "a.dcm", picture(), transfer_syntax=syntax, ModalityLUTSequence=[lut(600, table)])
    expected = table[np.clip(picture().astype(int) - 600, 0, 2999)]
    np.testing.assert_array_equal(read(path), expected.T)


@pytest.mark.parametrize("syntax", [uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian])
def test_a_modality_lut_may_begin_below_0(tmp_path: Path, rng: np.random.Generator, syntax: uid.UID) -> None:
    stored, table = picture().astype(int) - 2048, rng.integers(0, 65536, 4096)
    sequence = [lut(-2048, table, signed=True)]
    path = make_dicom(tmp_path / "a.dcm", stored, signed=True, transfer_syntax=syntax, ModalityLUTSequence=sequence)
    np.testing.assert_array_equal(read(path), table[stored + 2048].T)


def test_a_modality_lut_is_what_pydicom_applies(tmp_path: Path, rng: np.random.Generator) -> None:
    path = make_dicom(tmp_path / "a.dcm", picture(), ModalityLUTSequence=[lut(7, rng.integers(0, 65536, 900))])
    image = pydicom.dcmread(path)
    expected = pydicom.pixels.apply_modality_lut(image.pixel_array, image)
    np.testing.assert_array_equal(read(path), expected.T)


def test_an_inverted_lut_is_read_at_the_stored_values_and_its_output_is_turned(tmp_path: Path) -> None:
    stored = np.array([[0, 1, 2], [3, 4, 4095]])
    # 0 to 3 become 10, 20, 40, 80; beyond the table holds its last entry; 10 + 80 - entry
    sequence = [lut(0, np.array([10, 20, 40, 80]))]
    path = make_dicom(tmp_path / "a.dcm", stored, photometric="MONOCHROME1", ModalityLUTSequence=sequence)
    np.testing.assert_array_equal(read(path), np.array([[80, 70, 50], [10, 10, 10]]).T)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("tags", [{"photometric": "MONOCHROME1"}, {"PresentationLUTShape": "INVERSE"}], ids=str)
def test_an_inverted_lut_is_the_mirror_of_the_one_that_is_not(
    tmp_path: Path, rng: np.random.Generator, tags: dict[str, str], signed: bool
) -> None:
    stored = picture().astype(int) - (2048 if signed else 0)
    table = np.sort(rng.choice(65536, 3000, replace=False))
    sequence = [lut(-1000 if signed else 1048, table, signed=signed)]
    plain = read(make_dicom(tmp_path / "plain.dcm", stored, signed=signed, ModalityLUTSequence=sequence))
    turned = read(make_dicom(tmp_path / "a.dcm", stored, signed=signed, ModalityLUTSequence=sequence, **tags))
    np.testing.assert_array_equal(turned, float(table[0] + table[-1]) - plain)
    assert len(np.unique(turned)) == len(np.unique(plain)) > 100


def test_a_broken_modality_lut_is_refused(tmp_path: Path) -> None:
    path = make_dicom(tmp_path / "a.dcm", picture(), ModalityLUTSequence=[lut(0, np.arange(100), count=4096)])
    with pytest.raises(DicomError, match=r"^a\.dcm: a modality LUT must be whole"):
        read(path)


def test_three_frames_are_refused_until_one_is_chosen(tmp_path: Path) -> None:
    frames = np.stack([picture(), picture()[::-1], picture()[:, ::-1]])
    path = make_dicom(tmp_path / "a.dcm", frames)
    with pytest.raises(DicomError, match=r"^a\.dcm: a radiograph must have one frame; got 3\. Choose one by frame="):
        read(path)
    np.testing.assert_array_equal(read(path, frame=2), frames[2].T)
    with pytest.raises(DicomError, match=r"^a\.dcm: frame must be from 0 to 2; got 3"):
        read(path, frame=3)


def test_colour_is_refused_until_its_luminance_is_asked_for(tmp_path: Path, rng: np.random.Generator) -> None:
    rgb = rng.integers(0, 256, (9, 14, 3))
    path = make_dicom(tmp_path / "a.dcm", rgb, photometric="RGB", bits_stored=8)
    with pytest.raises(DicomError, match=r"^a\.dcm: a radiograph must have grey pixels; got RGB\. .* colour=True"):
        read(path)
    np.testing.assert_allclose(read(path, colour=True), (rgb @ [0.299, 0.587, 0.114]).T, atol=1e-4)


@pytest.mark.parametrize("name", ["examples_ybr_color.dcm", "SC_rgb_jpeg_dcmtk.dcm", "GDCMJ2K_TextGBR.dcm"])
def test_the_luminance_of_ybr_is_that_of_its_rgb(name: str) -> None:
    path = Path(str(get_testdata_file(name)))
    with pytest.raises(DicomError, match=rf"^{name}: a radiograph must have"):
        read(path)
    rgb = pydicom.pixels.pixel_array(path, index=0)
    np.testing.assert_allclose(read(path, frame=0, colour=True), (rgb @ [0.299, 0.587, 0.114]).T, atol=1e-3)


def test_a_palette_is_refused_until_its_luminance_is_asked_for() -> None:
    path = Path(str(get_testdata_file("examples_palette.dcm")))
    with pytest.raises(DicomError, match=r"^examples_palette\.dcm: a radiograph must have grey pixels; got PALETTE"):
        read(path)
    image = pydicom.dcmread(path)
    rgb = pydicom.pixels.apply_color_lut(image.pixel_array, image)
    np.testing.assert_allclose(read(path, colour=True), (rgb @ [0.299, 0.587, 0.114]).T, rtol=1e-5)


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ({"PixelData": None}, "an image must have pixel data of whole numbers; it has none"),
        ({"PhotometricInterpretation": b"DOE^JANE"}, "PhotometricInterpretation must be one of the standard's"),
        ({"Rows": 0}, "Rows must be a whole number from 1 to 65535; it is not"),
        ({"Columns": None}, "Columns must be a whole number"),
        ({"NumberOfFrames": b"1\\2"}, "NumberOfFrames must be a whole number"),
        ({"NumberOfFrames": b"0"}, "NumberOfFrames must be a whole number"),
        ({"SamplesPerPixel": 3}, "MONOCHROME2 must not have 3 samples per pixel"),
        ({"BitsAllocated": 12}, "BitsStored must fit into BitsAllocated of 8, 16 or 32; got 12 in 12"),
        ({"BitsStored": 17, "HighBit": 16}, "BitsStored must fit into BitsAllocated of 8, 16 or 32; got 17 in 16"),
        ({"HighBit": 15}, "HighBit must be BitsStored - 1; got 15 and 12"),
        ({"PixelRepresentation": None}, "PixelRepresentation must be a whole number from 0 to 1"),
        ({"Rows": 65535, "Columns": 65535}, "rows x columns x frames must be at most 100000000; got 65535 x 65535 x 1"),
        ({"NumberOfFrames": b"2000000000"}, "rows x columns x frames must be at most"),
        ({"Rows": 37}, "its pixel data must decode as Explicit VR Little Endian .* decoding ended in ValueError"),
    ],
)
def test_a_header_that_cannot_be_right_is_refused(tmp_path: Path, tags: dict[str, Any], reason: str) -> None:
    path = make_dicom(tmp_path / "a.dcm", picture(), **tags)
    with pytest.raises(DicomError, match=rf"^a\.dcm: .*{reason}"):
        read(path)


@pytest.mark.parametrize("syntax", SYNTAXES[3:], ids=lambda syntax: syntax.keyword)
def test_a_compressed_frame_of_another_size_is_refused(tmp_path: Path, syntax: uid.UID) -> None:
    stream = HTJ2K_CODESTREAM if syntax == uid.HTJ2KLossless else None
    path = make_dicom(tmp_path / "a.dcm", picture(), transfer_syntax=syntax, codestream=stream)
    data = path.read_bytes()
    # Rows, explicit VR: 36 becomes 38
    path.write_bytes(data.replace(b"\x28\x00\x10\x00US\x02\x00\x24\x00", b"\x28\x00\x10\x00US\x02\x00\x26\x00"))
    with pytest.raises(DicomError, match=r"^a\.dcm: (its codestream must be of the header's size|its pixel data must)"):
        read(path)


def test_a_transfer_syntax_of_video_is_refused_by_its_name(tmp_path: Path) -> None:
    path = make_dicom(tmp_path / "a.dcm", picture(), transfer_syntax=uid.MPEG2MPML, codestream=b"\0" * 8)
    with pytest.raises(DicomError, match=r"^a\.dcm: .*still images; got MPEG2 Main Profile / Main Level \(1\.2\.840"):
        read(path)


def test_an_unknown_transfer_syntax_is_not_repeated(tmp_path: Path) -> None:
    path = make_dicom(tmp_path / "a.dcm", picture(), transfer_syntax=uid.JPEGLSLossless)
    path.write_bytes(path.read_bytes().replace(b"1.2.840.10008.1.2.4.80", b"1.2.840.99999.1.2.4.80"))
    with pytest.raises(DicomError, match=r"^a\.dcm: .*got one that is not in the standard"):
        read(path)


def test_a_missing_codec_is_named_with_what_to_install(tmp_path: Path) -> None:
    path = make_dicom(tmp_path / "a.dcm", picture(), transfer_syntax=uid.JPEGLSLossless)
    script = f"""
import sys
sys.modules["gdcm"] = None
from pathlib import Path
from monai_gu2net.dicom import DicomError, Limits
from monai_gu2net.dicom.header import read_image
from monai_gu2net.dicom.pixels import read_pixels
image = read_image({str(path)!r}, limits=Limits())
try:
    read_pixels(image, name="a.dcm", limits=Limits(), frame=None, colour=False)
except DicomError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("a.dcm: its transfer syntax must be one that an installed codec decodes; got JPEG-LS")
    assert 'pip install "monai_gu2net[dicom]"' in done.stdout


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("syntax", [uid.JPEG2000Lossless, uid.JPEGLSLossless, uid.JPEGLosslessSV1])
def test_bits_beyond_those_stored_are_masked_in_a_compressed_image(
    tmp_path: Path, syntax: uid.UID, signed: bool
) -> None:
    stored = picture().astype(int) - (2048 if signed else 0)
    cells = (stored & 0x0FFF).astype(np.uint16)
    cells[5:9] |= 0xF000
    cells[:, ::3] |= 0x1000
    cells = cells.view(np.int16) if signed else cells
    path = make_dicom(tmp_path / "a.dcm", cells, bits_stored=16, signed=signed, transfer_syntax=syntax)
    content = path.read_bytes()
    for head, bits in ((b"\x28\x00\x01\x01US\x02\x00", 12), (b"\x28\x00\x02\x01US\x02\x00", 11)):
        assert content.count(head) == 1
        at = content.index(head) + len(head)
        content = content[:at] + bytes([bits, 0]) + content[at + 2 :]
    path.write_bytes(content)
    np.testing.assert_array_equal(read(path), stored.T)


def test_a_codestream_declares_its_size() -> None:
    assert codestream_size(HTJ2K_CODESTREAM) == picture().shape
    jpeg = b"\xff\xd8\xff\xe0\x00\x04ab\xff\xff\xc3\x00\x0b\x0c\x01\x02\x03\x04\x01\x01\x11\x00"
    assert codestream_size(jpeg) == (0x0102, 0x0304)
    assert codestream_size(jpeg[:14]) is None
    assert codestream_size(b"\xff\xd8\xff\xd9") is None
    assert codestream_size(HTJ2K_CODESTREAM[:20]) is None
    assert codestream_size(b"") is None
