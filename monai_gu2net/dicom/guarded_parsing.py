# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""From bytes to a dataset that holds only what could be understood, at a bounded cost."""

from __future__ import annotations

import io
from typing import Any

from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filereader import read_dataset, read_sequence
from pydicom.tag import BaseTag
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from monai_gu2net.dicom.limits import DicomError
from monai_gu2net.dicom.silence import silent_pydicom

__all__ = ["MAX_DEPTH", "MAX_ELEMENTS", "CountedBytes", "parse"]

MAX_ELEMENTS = 150_000  # a radiograph has some hundreds, a report 180 to 350 for each landmark
MAX_DEPTH = 16  # levels of sequences in sequences
_PIXEL_GROUP = 0x7FE00000
_PIXEL_DATA = 0x7FE00010
_BYTES = frozenset({"OB", "OW", "OF", "OD", "OL", "OV", "UN", "UT", "ST", "LT", "UR"})  # one value, however long
_PLAIN_TEXT = frozenset({"AS", "CS", "DA", "DS", "DT", "IS", "TM", "UI"})  # ASCII: a backslash separates values
_TEXT = _PLAIN_TEXT | {"AE", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"}
_NUMBERS = frozenset({"US", "SS", "UL", "SL", "UV", "SV", "FL", "FD", "AT"})


class CountedBytes(io.BytesIO):
    """A file in memory that pydicom may take no more than so many elements and items from."""

    def __init__(self, data: bytes, budget: list[int]) -> None:
        super().__init__(data)
        self.budget = budget  # shared by all parts of one file

    def read(self, size: int | None = -1, /) -> bytes:
        """The next bytes; the head of every element and item is a read of eight."""
        if size == 8:
            self.budget[0] -= 1
            if self.budget[0] < 0:
                raise _BudgetError
        return super().read(size)


class _BudgetError(Exception):
    """The budget of elements is spent."""


def parse(data: bytes, *, name: str, pixels: bool = False) -> tuple[Dataset, int]:
    """The dataset of a DICOM file's bytes, without private and empty elements and what cannot be read.

    Empty means absent, for every element at every level: one of no length, of spaces and NULs alone, a sequence without
    items, an item without elements. An element that has a value which pydicom cannot decode is kept with None instead
    of it. All are decoded here, so that nothing is left to fail later.

    Args:
        data: the file, or its beginning.
        name: the file's name, for errors.
        pixels: go on to the end of the pixel data; otherwise stop before them.

    Returns:
        (dataset with its file meta information, in which the transfer syntax is always given; position at which
        reading stopped).

    Raises:
        DicomError: this is not DICOM, it is deflated, or its structure is too deep, too large or broken.

    Source: DICOM PS3.10, 7.1 (file meta information); PS3.5, 7 (elements and sequences).
    """
    budget = [MAX_ELEMENTS]
    try:
        with silent_pydicom():
            return _parse(data, name, pixels, budget)
    except DicomError:
        raise
    except _BudgetError:
        reason = f"have at most {MAX_ELEMENTS} elements and items; it has more"
    except RecursionError:
        reason = f"have at most {MAX_DEPTH} levels of sequences; it has more"
    except MemoryError:
        reason = "fit into memory; it does not"
    except Exception as error:  # whatever pydicom raises at foreign bytes; its message quotes values
        reason = f"be well-formed; reading it ended in {type(error).__name__}"
    raise DicomError(f"{name}: a DICOM file must {reason}. Export it again.") from None


def _parse(data: bytes, name: str, pixels: bool, budget: list[int]) -> tuple[Dataset, int]:
    file = CountedBytes(data, budget)
    if data[128:132] == b"DICM":
        file.seek(132)
    elif data[:2] not in (b"\x02\x00", b"\x08\x00", b"\x00\x08"):  # group 2 or 8, little or big endian
        raise DicomError(
            f"{name}: a DICOM file must have 'DICM' at byte 128 or begin with group 0002 or 0008; it does not. "
            "Check what kind of file it is."
        )
    meta = read_dataset(file, False, True, stop_when=lambda tag, vr, length: tag >> 16 != 2)
    _clean(meta, budget, depth=0)
    syntax = str(meta.get("TransferSyntaxUID") or "") or _guessed_syntax(data[file.tell() : file.tell() + 6])
    if syntax == DeflatedExplicitVRLittleEndian:
        raise DicomError(
            f"{name}: a DICOM file must not be deflated; its transfer syntax is {syntax}, and a few bytes of it "
            "can hide gigabytes. Inflate it with a tool you trust, such as dcmconv +te."
        )
    first = _PIXEL_DATA + 1 if pixels else _PIXEL_GROUP
    dataset = read_dataset(
        file,
        syntax == ImplicitVRLittleEndian,
        syntax != ExplicitVRBigEndian,
        stop_when=lambda tag, vr, length: tag >= first,
    )
    position = file.tell()
    _clean(dataset, budget, depth=0)
    dataset.file_meta = FileMetaDataset(meta)
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    return dataset, position


def _guessed_syntax(start: bytes) -> str:
    """The transfer syntax that the first element looks like, for files that do not say."""
    if start[4:6].isalpha() and start[4:6].isupper():
        return str(ExplicitVRBigEndian if start[:1] == b"\x00" else ExplicitVRLittleEndian)
    return str(ImplicitVRLittleEndian)


def _clean(dataset: Dataset, budget: list[int], *, depth: int) -> None:
    """Decode every value in place; drop private and empty elements, empty those that cannot be decoded."""
    if depth > MAX_DEPTH:
        raise RecursionError
    for tag in list(dataset.keys()):
        raw = dataset.get_item(tag)
        if tag.is_private or raw is None:
            del dataset[tag]
            continue
        vr = raw.VR or _dictionary_vr(tag)
        if isinstance(raw, RawDataElement) and "SQ" in (vr, _dictionary_vr(tag)):
            if vr != "SQ":  # unknown to whoever wrote it, and to be parsed by other rules
                del dataset[tag]
                continue
            dataset[tag] = DataElement(tag, "SQ", _sequence(raw, dataset, budget))
        elif isinstance(raw, RawDataElement):
            value = _unpadded(raw.value or b"", _dictionary_vr(tag) if vr == "UN" else vr)
            if not value:
                del dataset[tag]
                continue
            dataset[tag] = raw._replace(value=value)
            _charge(value, vr, budget)
        elif raw.VR != "SQ" and raw.is_empty:  # numbers of no length are decoded where pydicom hands them out
            del dataset[tag]
            continue
        element = _decoded(dataset, tag, vr)
        if element.VR == "SQ" and element.value is not None:
            items = list(element.value)
            for item in items:
                _clean(item, budget, depth=depth + 1)
            kept = [item for item in items if len(item)]
            if not kept:
                del dataset[tag]
            elif len(kept) < len(items):
                dataset[tag] = DataElement(tag, "SQ", kept)


def _unpadded(value: bytes, vr: str) -> bytes:
    """A value without its padding; nothing where it is text of nothing else."""
    if vr not in _TEXT:
        return value
    if not value.strip(b" \0\\"):
        return b""
    if vr in _PLAIN_TEXT:
        return b"\\".join(part.strip(b" \0") for part in value.split(b"\\"))
    return value.rstrip(b"\0")


def _charge(value: bytes, vr: str, budget: list[int]) -> None:
    """Take the values of one element from the budget, since pydicom makes an object of each."""
    if vr in _NUMBERS:
        budget[0] -= len(value) // 16  # plain numbers cost little, and a LUT has 65536 of them
    elif vr not in _BYTES:
        budget[0] -= value.count(b"\\")
    if budget[0] < 0:
        raise _BudgetError


def _sequence(raw: RawDataElement, dataset: Dataset, budget: list[int]) -> Any:
    """The items of a sequence of defined length, which pydicom would parse at first use and without a budget."""
    value = raw.value or b""
    # pydicom 2.4 has the second name, 3 the first
    encoding = getattr(dataset, "original_character_set", None) or getattr(dataset, "read_encoding", None) or "iso8859"
    file = CountedBytes(value, budget)
    try:
        return read_sequence(file, raw.is_implicit_VR, raw.is_little_endian, len(value), encoding)
    except (MemoryError, RecursionError):
        raise
    except Exception:
        if budget[0] < 0:
            raise _BudgetError from None
        return None


def _decoded(dataset: Dataset, tag: BaseTag, vr: str) -> DataElement:
    try:
        return dataset[tag]
    except (MemoryError, RecursionError, _BudgetError):
        raise
    except Exception:
        del dataset[tag]
        dataset[tag] = DataElement(tag, _dictionary_vr(tag), None)
        return dataset[tag]


def _dictionary_vr(tag: BaseTag) -> str:
    """The type that the data dictionary gives the element, the first where it leaves a choice."""
    try:
        return dictionary_VR(tag)[:2]
    except KeyError:
        return "UN"
