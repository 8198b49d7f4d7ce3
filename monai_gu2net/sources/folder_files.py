# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The files of a dataset's folder: its images, its annotations, and those of the one without the other."""

from __future__ import annotations

import os
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from monai_gu2net.data.case_names import image_name
from monai_gu2net.data.dicom_entries import DicomEntry, read_entries
from monai_gu2net.data.picture import PICTURES
from monai_gu2net.data.volume import VOLUMES
from monai_gu2net.dicom import DicomError, dicom_files, is_dicom, read_header
from monai_gu2net.files import LeftOut

__all__ = [
    "dicom_images",
    "existing_folder",
    "files_by_stem",
    "images_by_stem",
    "is_series",
    "plain_images",
    "reason_within",
    "unmatched",
]

_ENDINGS = (*PICTURES, *VOLUMES)
_OF_LAYOUTS = ("images", "sr")


def existing_folder(folder: str | Path) -> Path:
    """The absolute path of a folder.

    Raises:
        FileNotFoundError: there is no such folder.
    """
    path = Path(folder).absolute()
    if not path.is_dir():
        raise FileNotFoundError(f"A dataset must be a folder; got {str(path)!r}, which is none. Check it.")
    return path


def plain_images(folder: Path) -> list[Path]:
    """The images of a folder, sorted; none where there is no folder.

    They are PNG, JPEG, BMP, TIFF, NIfTI, NRRD, MetaImage and DICOM files, and folders that hold DICOM, each a series of
    slices.
    """
    files = (path for path in _seen(folder) if path.name.lower().endswith(_ENDINGS) and path.is_file())
    series = (path for path in _seen(folder) if path.name not in _OF_LAYOUTS and is_series(path))
    return sorted([*files, *dicom_images(folder), *series])


def is_series(path: Path) -> bool:
    """Whether a path is a folder of DICOM files."""
    return path.is_dir() and bool(dicom_files(path))


def dicom_images(*folders: Path, named: Iterable[Path] = ()) -> dict[Path, DicomEntry]:
    """The DICOM images of folders, and among named files, by path.

    One that cannot be read is among them, for it is a case that fails. A folder of a series that is named is known by
    its first image.
    """
    files = dict.fromkeys(path for folder in folders for path in dicom_files(folder))
    series: dict[Path, Path] = {}
    for path in named:
        if is_series(path):
            series[first_image(path)] = path
        elif is_dicom(path):
            files[path] = None
    found = {entry.path: entry for entry in read_entries([*files, *series]) if entry.kind in ("image", "broken")}
    for first, folder in series.items():
        if first in found:
            found[folder] = replace(found.pop(first), path=folder, size=None)
    return found


def first_image(folder: Path) -> Path:
    """The first DICOM file of a folder that is an image or cannot be read, for a report may lie before it; else any."""
    files = dicom_files(folder)
    for path in files:
        try:
            if "Rows" in read_header(path):
                return path
        except DicomError:
            return path
    return files[0]


def files_by_stem(folder: Path, ending: str) -> dict[str, Path]:
    """The files of a folder with an ending by their names without it, sorted; none where there is no folder."""
    return {path.name[: -len(ending)]: path for path in sorted(_seen(folder)) if path.name.endswith(ending)}


def images_by_stem(folder: Path) -> dict[str, Path]:
    """The image files of a folder by their names without the ending of their kind, sorted.

    Raises:
        ValueError: two images have the same name but for the ending.
    """
    images: dict[str, Path] = {}
    for path in plain_images(folder):
        stem = image_name(path)
        if stem in images:
            raise ValueError(
                f"{folder}: images must differ in more than the extension; got "
                f"{images[stem].name!r} and {path.name!r}. Remove one."
            )
        images[stem] = path
    return images


def unmatched(
    items: Mapping[str, Path], others: Container[str], *, what: str, lacks: str, folder: Path
) -> Iterator[LeftOut]:
    """The files whose key is not among the others.

    Args:
        items: by key.
        others: the keys that have what the items need.
        what: an item is.
        lacks: it lacks, as in "it has no image".
        folder: the dataset, which the names are relative to.
    """
    for key, path in items.items():
        if key not in others:
            yield LeftOut(what, path.relative_to(folder).as_posix(), f"it has no {lacks}")


def reason_within(folder: Path, error: BaseException) -> str:
    """What an error says, its files by their paths in the folder."""
    return str(error).replace(f"{folder}{os.sep}", "").rstrip(".")


def _seen(folder: Path) -> Iterator[Path]:
    """What is in a folder and not hidden."""
    yield from (path for path in folder.glob("*") if not path.name.startswith("."))
