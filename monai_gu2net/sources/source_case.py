# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""From images and landmarks on disk to the cases of a datalist."""

from __future__ import annotations

import math
import os
import statistics
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from monai_gu2net.data.case_names import image_name
from monai_gu2net.data.dicom_entries import DicomEntry, dicom_files, read_entries
from monai_gu2net.data.domain import Domain
from monai_gu2net.data.outside import in_frame
from monai_gu2net.data.picture import PICTURES
from monai_gu2net.data.reader import radiograph_size
from monai_gu2net.dicom import is_dicom
from monai_gu2net.files import LeftOut
from monai_gu2net.landmarks import LandmarkSet

__all__ = [
    "Case",
    "Dataset",
    "SpacingOption",
    "Splits",
    "chosen_spacing",
    "dicom_images",
    "domain_name",
    "existing_folder",
    "files_by_stem",
    "fitting_size",
    "image_size",
    "images_by_stem",
    "made_cases",
    "make_case",
    "plain_images",
    "readable_sizes",
    "reason_within",
    "share_spacing",
    "unmatched",
]

Case = dict[str, Any]
Splits = dict[str, list[Case]]
# "default": what the layout knows; "unknown": none, results are in pixels; else mm per pixel (sx, sy)
SpacingOption = Sequence[float] | Literal["default", "unknown"]


class Dataset(NamedTuple):
    """What a reader made of a dataset folder.

    Args:
        domain: its domain.
        splits: lists of datalist cases by "training", "validation" and "test".
        left_out: what was found and not taken, and why; names are relative to the folder.
    """

    domain: Domain
    splits: Splits
    left_out: tuple[LeftOut, ...] = ()


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
    """The PNG, JPEG, BMP, TIFF and DICOM images of a folder, sorted; none where there is no folder."""
    pictures = [
        path
        for path in (folder.iterdir() if folder.is_dir() else ())
        if path.suffix.lower() in PICTURES and not path.name.startswith(".")
    ]
    return sorted([*pictures, *dicom_images(folder)])


def dicom_images(*folders: Path, named: Iterable[Path] = ()) -> dict[Path, DicomEntry]:
    """The DICOM images of folders, and among named files, by path.

    One that cannot be read is among them, for it is a case that fails.
    """
    files = dict.fromkeys(path for folder in folders if folder.is_dir() for path in dicom_files(folder))
    files |= dict.fromkeys(path for path in named if is_dicom(path))
    return {entry.path: entry for entry in read_entries(files) if entry.kind in ("image", "broken")}


def files_by_stem(folder: Path, ending: str) -> dict[str, Path]:
    """The files of a folder with an ending by their names without it, sorted; none where there is no folder."""
    found = folder.iterdir() if folder.is_dir() else ()
    return {
        path.name[: -len(ending)]: path
        for path in sorted(found)
        if path.name.endswith(ending) and not path.name.startswith(".")
    }


def unmatched(
    items: Mapping[str, Path], others: Container[str], *, what: str, lacks: str, folder: Path
) -> list[LeftOut]:
    """The files whose key is not among the others.

    Args:
        items: by key.
        others: the keys that have what the items need.
        what: an item is.
        lacks: it lacks, as in "it has no image".
        folder: the dataset, which the names are relative to.
    """
    return [
        LeftOut(what, path.relative_to(folder).as_posix(), f"it has no {lacks}")
        for key, path in items.items()
        if key not in others
    ]


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


def image_size(path: Path) -> tuple[int, int]:
    """(width, height) from the header of a PNG, JPEG, BMP, TIFF or DICOM file, upright as it is read.

    Raises:
        ValueError: the file is damaged or of another kind.
    """
    try:
        size = radiograph_size(path)
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: the image must be readable; got {error}. Copy it anew.") from error
    if size is None:
        raise ValueError(f"{path}: the image must be a picture or DICOM; got another kind. Convert it.")
    return size


def readable_sizes(
    images: Iterable[Path], entries: Mapping[Path, DicomEntry], folder: Path
) -> tuple[dict[Path, tuple[int, int] | None], list[LeftOut]]:
    """The sizes of images from their headers, None for kinds whose header is not read; and those left out as broken.

    Broken DICOM stays, for it is a case that fails (:func:`dicom_images`).

    Raises:
        ValueError: all are broken.
    """
    sizes: dict[Path, tuple[int, int] | None] = {}
    left_out: list[LeftOut] = []
    for image in dict.fromkeys(images):  # each once
        try:
            if image in entries:
                sizes[image] = entries[image].size
            else:
                told = image.suffix.lower() in PICTURES or is_dicom(image)  # DICOM that is no entry is no image
                sizes[image] = image_size(image) if told else None
        except ValueError as error:
            reason = str(error.__cause__).rstrip(".")
            left_out.append(LeftOut("image", image.relative_to(folder).as_posix(), reason))
    if left_out and not sizes:
        raise ValueError(f"{folder}: its images must be readable; got none that is: {left_out[0].reason}")
    return sizes, left_out


def made_cases(
    images: Mapping[str, Path], make: Callable[[str, Path], Case], folder: Path
) -> tuple[list[Case], list[LeftOut]]:
    """The case of each image; one that is broken, or whose annotation is, is left out with the reason.

    Args:
        images: by name.
        make: the case of a name and its image; raises a ValueError where it is broken.
        folder: the dataset.

    Raises:
        ValueError: all are broken.
    """
    cases: list[Case] = []
    left_out: list[LeftOut] = []
    for name, image in images.items():
        try:
            cases.append(make(name, image))
        except ValueError as error:
            left_out.append(LeftOut("image", image.relative_to(folder).as_posix(), reason_within(folder, error)))
    if left_out and not cases:
        raise ValueError(
            f"{folder}: its images and annotations must be readable; got none that is: {left_out[0].reason}"
        )
    return cases, left_out


def reason_within(folder: Path, error: ValueError) -> str:
    """What an error says, its files by their paths in the folder."""
    return str(error).replace(f"{folder}{os.sep}", "").rstrip(".")


def chosen_spacing(option: SpacingOption, default: Sequence[float] | None) -> Sequence[float] | None:
    """The spacing that an option asks for; the layout's own for "default", None for "unknown".

    Raises:
        ValueError: the option is another word, or not two positive numbers.
    """
    if isinstance(option, str):
        if option not in ("default", "unknown"):
            raise ValueError(f"spacing must be 'default', 'unknown' or (sx, sy); got {option!r}. Choose one.")
        return default if option == "default" else None
    if len(option) != 2 or not all(0 < value < math.inf for value in option):
        raise ValueError(f"spacing must be two positive numbers (mm per pixel); got {option!r}. Correct it.")
    return option


def make_case(
    image: Path,
    landmarks: LandmarkSet,
    *,
    domain: str,
    case: str,
    patient: str | None = None,
    size: tuple[int, int] | None = None,
    spacing: Sequence[float] | None = None,
    annotators: Mapping[str, LandmarkSet] | None = None,
) -> Case:
    """One case of a datalist; a landmark outside of the image is absent and named under ``outside``.

    Args:
        image: the file.
        landmarks: (N, 2) in pixel indices.
        domain: name of the domain.
        case: name of the case, unique in its domain.
        patient: by default the case.
        size: (width, height) of the image; None: unknown, then no landmark is taken to lie outside.
        spacing: (sx, sy) mm per pixel; None: unknown.
        annotators: by name, the points of each, where more than one annotated; as they are, inside or outside.
    """
    made: Case = {
        "image": str(image),
        "domain": domain,
        "case": case,
        "patient": patient or case,
        "landmarks": _points(landmarks, image),
    }
    if size is not None:
        made = in_frame(made, landmarks.names, size)
    if annotators:
        made["annotators"] = {who: _points(points, image) for who, points in annotators.items()}
    return made if spacing is None else made | {"spacing": [float(s) for s in spacing]}


def _points(landmarks: LandmarkSet, image: Path) -> list[list[float] | None]:
    """The points as a datalist has them, None for those absent."""
    if landmarks.frame != "index" or landmarks.dims != 2:
        raise ValueError(
            f"{image}: landmarks must be 2-D pixel indices; got {landmarks.dims}-D in "
            f"{landmarks.frame!r}. Convert them."
        )
    return [point if there else None for point, there in zip(landmarks.points.tolist(), landmarks.present, strict=True)]


def share_spacing(cases: Sequence[Case]) -> tuple[float, ...] | None:
    """Take the spacing out of the cases where it is the same for all of them, and return it for their domain.

    Returns:
        (sx, sy) mm per pixel; None where the cases differ (they keep theirs) or know none.
    """
    spacings = {tuple(case.get("spacing", ())) for case in cases}
    if len(spacings) != 1 or spacings == {()}:
        return None
    for case in cases:
        del case["spacing"]
    return spacings.pop()


def fitting_size(sizes: Sequence[tuple[int, int]], *, longest: int = 512, multiple: int = 16) -> tuple[int, int]:
    """An input size with the images' usual proportions.

    Args:
        sizes: (width, height) of the images.
        longest: the longer side, in pixels.
        multiple: both sides are multiples of it, as four halvings ask for.

    Returns:
        (width, height); a square where there are none.
    """
    ratios = [width / height for width, height in sizes]
    ratio = statistics.median(ratios) if ratios else 1.0
    sides = (longest * min(1.0, ratio), longest * min(1.0, 1 / ratio))
    width, height = (max(multiple, multiple * math.floor(side / multiple + 0.5)) for side in sides)
    return width, height


def domain_name(folder: Path) -> str:
    """A domain's name from a folder's: letters, digits, "_" and "-"."""
    return "".join(c if c.isalnum() or c in "_-" else "_" for c in folder.name) or "domain"
