# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The header of a DICOM file, read with guards."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from pydicom.dataset import Dataset

from monai_gu2net.dicom.guarded_parsing import parse
from monai_gu2net.dicom.limits import DicomError, Limits

__all__ = ["dicom_files", "is_dicom", "read_header", "read_image"]

_ENDINGS = (".dcm", ".dicom")
_DIRECTORY = "DICOMDIR"  # PS3.10, 8.6: the name is reserved
_MOST_HEADERS = 2**18
_HEADER_BYTES = 16 * 2**20
_PIXEL_GROUP = (b"\xe0\x7f", b"\x7f\xe0")  # little and big endian


def is_dicom(path: str | os.PathLike[str]) -> bool:
    """Whether a file has 'DICM' at byte 128, or ends in .dcm or .dicom.

    Args:
        path: a file; one that is not there is judged by its ending.

    Source: DICOM PS3.10, 7.1.
    """
    path = Path(path)
    if path.name.lower().endswith(_ENDINGS):
        return True
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
        return False


def dicom_files(folder: Path, *, recursive: bool = False) -> list[Path]:
    """The DICOM files of a folder, if it is there, by ending or content, sorted, without hidden ones and a DICOMDIR."""
    found = folder.rglob("*") if recursive else folder.glob("*")
    return sorted(
        path
        for path in found
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.name.upper() != _DIRECTORY
        and path.is_file()
        and is_dicom(path)
    )


def read_header(path: str | os.PathLike[str], *, limits: Limits = Limits()) -> Dataset:  # noqa: B008 - immutable
    """Everything before the pixel data, guarded and decoded; private and empty elements are left out.

    It holds the patient's identity: for writing objects of the same study, and for nothing that is logged,
    shown or kept. An element whose value could not be decoded has None.

    Args:
        path: a DICOM file, with or without pixels.
        limits: only its ``file_bytes`` matters here.

    Returns:
        The dataset; its ``file_meta`` always tells the transfer syntax.

    Raises:
        DicomError: the file is none of DICOM, too large, deflated, too deeply nested or broken.
        FileNotFoundError: there is no such file.
    """
    path = Path(path)
    for at_most in (_MOST_HEADERS, _HEADER_BYTES):
        data, size = _read(path, limits, at_most=at_most)
        try:
            header, position = parse(data, name=path.name)
        except DicomError:
            if at_most == _HEADER_BYTES or size <= len(data):
                raise
            continue  # it may be well-formed as a whole
        if size <= len(data) or data[position : position + 2] in _PIXEL_GROUP:
            return header
    raise DicomError(
        f"{path.name}: a header must be at most {_HEADER_BYTES} bytes; it is longer. Export the image again."
    )


def read_image(path: str | os.PathLike[str], *, limits: Limits) -> Dataset:
    """As :func:`read_header`, with the pixel data, not yet decoded."""
    path = Path(path)
    read_header(path, limits=limits)  # refuses before the whole file is in memory
    data, _ = _read(path, limits, at_most=limits.file_bytes)
    return parse(data, name=path.name, pixels=True)[0]


def _read(path: Path, limits: Limits, *, at_most: int) -> tuple[bytes, int]:
    """The first bytes of a file, and its size."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # before it is opened: a pipe would wait for its other end
            raise DicomError(f"{path.name} must be a regular file; it is not. Copy it to one.")
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if status.st_size > limits.file_bytes:
                raise DicomError(
                    f"{path.name}: a file must be at most {limits.file_bytes} bytes; got {status.st_size}. "
                    "Raise Limits.file_bytes if you trust it."
                )
            return file.read(at_most), status.st_size
    except FileNotFoundError:
        raise FileNotFoundError(f"{path.name} must be a file; it is not there. Correct its path.") from None
    except OSError as error:
        raise DicomError(f"{path.name} must be readable; got {error.strerror}. Check its permissions.") from None
