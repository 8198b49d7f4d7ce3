# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Computed radiographs for tests, valid by dciodvfy until a test breaks them."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom import uid
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.tag import Tag

_LOSSLESS_JPEG = ("1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70")  # whose names differ in pydicom 2 and 3

# picture() as a lossless HTJ2K codestream, which no wheel of the test extra encodes. Made by imagecodecs 2026.3.6
# (OpenJPH 0.26.3): base64.b64encode(imagecodecs.htj2k_encode(picture(), reversible=True))
HTJ2K_CODESTREAM = base64.b64decode(
    "/0//UQApQAAAAAAsAAAAJAAAAAAAAAAAAAAALAAAACQAAAAAAAAAAAABDwEB/1AACAACAAAACv9SAAwAAgABAAUEBEAB/1wAEyCI"
    "kJCQkJCQkJCQkJCQiIiI/2QAFwABT3BlbkpQSCBWZXIgMC4yNi4zLv+QAAoAAAAAA4QAAf+TwAArANvm4vRl8dryAoG0AMAAE8AA"
    "E4D0pvcCi3QAUAqlAMI0AMAAFpwAAVp+funSDTqoX3QN+gUFuGEA+bgAftT1U50fdQBCAPm2AMAAF0MAAF0IntfreZ7nqVSe1+t5"
    "vV6vSuX1vF7VAQL2z/4LiB/kMbwAHk9Pj8fj8Xg8Ho+ngqeCp4KngqeCp8IgaBjiBgAAMboAwAAXsMAAF7WAZq2ZmZmZmZmZmfXo"
    "YdaamZmZmZmZBQsWLPToYdaamZmZmZmZBQsWLPToYdaamZmZmZmZBQsWLPToYc2sWbMWLPT4AEBdv339z/x69frLf8evX6y/+PXr"
    "9ZcQj5qMajG/AcY0jTHGGGOMMcYYY4wxxjSNMcYYY4wxxhhjjDHGNI0xxhhjjDHGGGOMMcY0jTHGGGOMMcYYY4wxM8+cOfPMmWfO"
    "PHPmmQQABfoAAe+gAB7nf+v16/WXf/X69frLf/r9ev1lyQ+YkMYkMbYCwAAvuWAAF+jokAAAAAAAAAAAABAQNDRAAgAAAAAAAAAA"
    "QEDQ0AAJAAAAAAAAAAAAAUFDAyQAAAAAAAAAAAAEBA0NkAAAAAAAAAAAABAQNDRAAgAAAAAAAAAAQEDQ0AAJAAAAAAAAAAAAAUFD"
    "AyQAAAAAAAAAAAAEBA0NkAAAAAAAAAAAABAQNDT8enevX69fr1+vX6y8716/Xr9ev16/WXnevX69fr1+vX6y8716/Xr9ev16/WXn"
    "evX69fr1+vX6y8716/Xr9ev16/WXnevX69fr1+vX6y8716/Xr9ev16/WXGFqMajGoxqMajG0BkAEAAAAAAAAAAAAAAAAAAAAEAEA"
    "AAAAAAAAAAAAAAAAAABEAAAAAAAAAAAAAAAAAAAAABEAAAAAAAAAAAAAAAAAAABABAAAAAAAAAAAAAAAAAAAABABAAAAAAAAAAAA"
    "AAAAAAAARAAAAAAAAAAAAAAAAAAAAAARAAAAAAAAAAAAAAAAAAAACIUIhQiFCIUIhQiFCIUIhQiFCIUIhQiFCIUIhQiFCIUIhQiF"
    "CIUIhQiFCIUCAQhABBCEAEEIQAQQhABBCEAGP1+vX69fr1+vX6y/X69fr1+vX69frL9fr1+vX69fr1+sv1+vX69fr1+vX6y/X69f"
    "r1+vX69frL9fr1+vX69fr1+sv1+vX69fr1+vX6y6GzGzGzGzGzG7Bv/Z"
)


def picture() -> np.ndarray:
    """Twelve bits of nothing alike along any axis or under any mirroring: (36, 44) uint16, 508 to 4095."""
    y, x = np.mgrid[:36, :44]
    return (4095 - 3 * (x - 20) ** 2 - 5 * (y - 15) ** 2).astype(np.uint16)


def make_dicom(
    path: str | Path,
    pixels: np.ndarray,
    *,
    photometric: str = "MONOCHROME2",
    bits_stored: int = 12,
    signed: bool = False,
    transfer_syntax: str = uid.ExplicitVRLittleEndian,
    codestream: bytes | None = None,
    **tags: Any,
) -> Path:
    """Write a CR image.

    Args:
        path: the file; its folder is made.
        pixels: stored values, (H, W), (frames, H, W), or (H, W, 3) for a photometric interpretation of colour.
        photometric: PhotometricInterpretation.
        bits_stored: more than 8 are allocated 16 bits, more than 16 are allocated 32.
        signed: PixelRepresentation 1.
        transfer_syntax: uncompressed, RLE, JPEG-LS, JPEG 2000 or JPEG lossless; any with ``codestream``.
        codestream: the compressed frame, whatever it holds, in place of ``pixels``.
        tags: further elements by keyword; None leaves one out, bytes are written as they are.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    image = _computed_radiograph(str(path))
    colour = photometric in ("RGB", "YBR_FULL")
    image.SamplesPerPixel = 3 if colour else 1
    if colour:
        image.PlanarConfiguration = 0
    image.PhotometricInterpretation = photometric
    frames = pixels.shape[0] if pixels.ndim == 3 and not colour else 1
    if frames > 1:
        image.NumberOfFrames = frames
    image.Rows, image.Columns = pixels.shape[:2] if colour or pixels.ndim == 2 else pixels.shape[1:]
    image.BitsAllocated = 8 if bits_stored <= 8 else 16 if bits_stored <= 16 else 32
    image.BitsStored, image.HighBit = bits_stored, bits_stored - 1
    image.PixelRepresentation = int(signed)

    syntax = uid.UID(transfer_syntax)
    plain = uid.ExplicitVRLittleEndian if syntax.is_compressed else syntax
    order = "<" if plain.is_little_endian else ">"
    stored = pixels.astype(f"{order}{'i' if signed else 'u'}{image.BitsAllocated // 8}").tobytes()
    image.PixelData = stored + b"\0" * (len(stored) % 2)
    image["PixelData"].VR = "OB" if image.BitsAllocated == 8 and not plain.is_implicit_VR else "OW"
    image.file_meta.TransferSyntaxUID = plain
    if codestream is not None:
        image.PixelData = encapsulate([codestream])
        image["PixelData"].VR = "OB"
        image.file_meta.TransferSyntaxUID = syntax
    elif syntax in (uid.RLELossless, uid.JPEGLSLossless, uid.JPEG2000Lossless):
        plugin = {uid.RLELossless: "pydicom", uid.JPEGLSLossless: "pyjpegls"}.get(syntax, "pylibjpeg")
        image.compress(syntax, encoding_plugin=plugin, generate_instance_uid=False)
    elif syntax.is_compressed and syntax not in _LOSSLESS_JPEG:
        raise ValueError(f"make_dicom cannot encode {syntax.name}; give it a codestream.")
    for keyword, value in tags.items():
        _set(image, keyword, value)
    plain = image.file_meta.TransferSyntaxUID
    if int(pydicom.__version_info__[0]) >= 3:
        image.save_as(
            path, enforce_file_format=True, implicit_vr=plain.is_implicit_VR, little_endian=plain.is_little_endian
        )
    else:  # that of MONAI Label
        image.is_implicit_VR, image.is_little_endian = plain.is_implicit_VR, plain.is_little_endian
        image.save_as(path, write_like_original=False)
    if codestream is None and syntax in _LOSSLESS_JPEG:
        _encode_with_gdcm(path, syntax)
    return path


def _computed_radiograph(name: str) -> Dataset:
    """The modules of a CR image but for its pixels, all that are mandatory; no real person's."""
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.SpecificCharacterSet = "ISO_IR 192"
    image.SOPClassUID = uid.ComputedRadiographyImageStorage
    image.SOPInstanceUID = uid.generate_uid(entropy_srcs=[name, "image"])
    image.StudyInstanceUID = uid.generate_uid(entropy_srcs=[name, "study"])
    image.SeriesInstanceUID = uid.generate_uid(entropy_srcs=[name, "series"])
    image.ImageType = ["ORIGINAL", "PRIMARY"]
    image.PatientName, image.PatientID = "Phantom^Test", "PHANTOM-1"
    image.PatientBirthDate, image.PatientSex = "19700101", "O"
    image.StudyDate, image.StudyTime, image.StudyID, image.AccessionNumber = "20200102", "030405", "1", ""
    image.ReferringPhysicianName = ""
    image.Modality, image.SeriesNumber, image.InstanceNumber = "CR", "1", "1"
    image.Manufacturer = "Test"
    image.BodyPartExamined, image.ViewPosition, image.Laterality = "HAND", "PA", "L"
    image.PatientOrientation = ["L", "F"]
    return image


def _set(image: Dataset, keyword: str, value: Any) -> None:
    tag = Tag(tag_for_keyword(keyword) or keyword)
    if value is None:
        if tag in image:
            del image[tag]
    elif isinstance(value, bytes) and keyword != "PixelData":
        syntax = image.file_meta.TransferSyntaxUID
        value += b" " * (len(value) % 2)
        raw = (tag, dictionary_VR(tag), len(value), value, 0, syntax.is_implicit_VR, syntax.is_little_endian)
        image[tag] = RawDataElement(*raw)
    else:
        setattr(image, keyword, value)


def _encode_with_gdcm(path: Path, syntax: uid.UID) -> None:
    import gdcm

    reader = gdcm.ImageReader()
    reader.SetFileName(str(path))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(str(syntax))))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(path))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()
