# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""A folder of images, each with a point list of 3D Slicer of the same name."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from monai_gu2net.data.dicom_entries import DicomEntry
from monai_gu2net.data.domain import Domain
from monai_gu2net.files import LeftOut
from monai_gu2net.landmarks import LandmarkSet
from monai_gu2net.landmarks.formats import read_markups
from monai_gu2net.landmarks.formats.parsing import ParseError
from monai_gu2net.sources.source_case import (
    Dataset,
    SpacingOption,
    chosen_spacing,
    dicom_images,
    domain_name,
    existing_folder,
    files_by_stem,
    fitting_size,
    images_by_stem,
    make_case,
    readable_sizes,
    reason_within,
    share_spacing,
    unmatched,
)
from monai_gu2net.sources.split import split_drawn

__all__ = ["MARKUPS_EXTENSION", "read_markups_folder"]

MARKUPS_EXTENSION = ".mrk.json"


def read_markups_folder(
    folder: str | os.PathLike[str],
    *,
    domain: str | None = None,
    landmarks: Sequence[str] | None = None,
    size: Sequence[int] | None = None,
    spacing: SpacingOption = "default",
    test: int | float | None = None,
    test_cases: Sequence[str] | None = None,
    validation: int | float | None = None,
    seed: int = 0,
) -> Dataset:
    """Read ``NAME.png`` (or jpg, bmp, tif, dcm) with ``NAME.mrk.json``, in the folder or its ``images/``.

    DICOM images of one patient stay together, under a label without meaning. Every other image is taken for a patient
    of its own; datasets with several images of a patient go into a table.

    Args:
        folder: the dataset.
        domain: name of the domain; by default the folder's.
        landmarks: names and order of the landmarks; by default all labels in the order in which the files,
            sorted by name, bring them up. A label that is not among them is an error.
        size: the network's input size (width, height); by default 512 on the longer side, in the images'
            usual proportions.
        spacing: (sx, sy) mm per pixel that the points were placed with. "default": for a DICOM image that at which
            3D Slicer shows it, else none; "unknown": none. With none the points are pixel indices, since Slicer gives
            such images 1 mm per pixel. A case keeps only a spacing that is given here: what the file states is read
            again with it.
        test: a count (int) or a fraction (float) of the images; by default 0.2.
        test_cases: names of the cases (image names without extension) of the test part, instead.
        validation: a count (int) or a fraction (float) of the images (with test_cases: of the others); by
            default 0.1.
        seed: of the draw.

    Returns:
        Its domain, its cases by "training", "validation" and "test", and what was left out: images
        without markups, broken images, markups without image and control points that are broken.

    Raises:
        ValueError: a file is broken, or no image has markups.
    """
    folder = existing_folder(Path(folder))
    place = folder / "images" if not any(folder.glob(f"*{MARKUPS_EXTENSION}")) else folder
    files = files_by_stem(place, MARKUPS_EXTENSION)
    images = images_by_stem(place)
    left_out = [
        *unmatched(images, files, what="image", lacks="markups", folder=folder),
        *unmatched(files, images, what="markups file", lacks="image", folder=folder),
    ]
    known_mm = chosen_spacing(spacing, None)
    entries = dicom_images(place)
    pixels_of, unreadable = readable_sizes([images[stem] for stem in files if stem in images], entries, folder)
    left_out += unreadable
    sets: dict[str, LandmarkSet] = {}
    broken = []
    for stem, path in files.items():
        if stem not in images or images[stem] not in pixels_of:
            continue
        try:
            found = read_markups(path, names=landmarks, dims=2)
        except ParseError as error:
            broken.append(LeftOut("markups file", path.relative_to(folder).as_posix(), reason_within(folder, error)))
        else:
            sets[stem] = found.to_index(_affine(spacing, entries.get(images[stem])))
    if broken and not sets:
        raise ValueError(f"{folder}: images must have markups that can be read; got none: {broken[0].reason}")
    left_out += broken
    if not sets:
        raise ValueError(f"{folder}: images must have markups of the same name; got none. Put them beside the images.")
    odd = [item for landmark_set in sets.values() for item in landmark_set.left_out]
    left_out += odd if place == folder else [item.within(place.name) for item in odd]
    names = tuple(dict.fromkeys(name for landmark_set in sets.values() for name in landmark_set.names))
    sizes = {stem: pixels_of[images[stem]] for stem in sets}
    name = domain or domain_name(folder)
    cases = [
        make_case(
            images[stem],
            landmark_set.select(names, allow_missing=True),
            domain=name,
            case=stem,
            patient=entries[images[stem]].patient if images[stem] in entries else None,
            size=sizes[stem],
            spacing=known_mm,
        )
        for stem, landmark_set in sets.items()
    ]
    markups_domain = Domain(
        name=name,
        landmarks=names,
        size=fitting_size([pixels for pixels in sizes.values() if pixels]) if size is None else tuple(size),
        spacing=share_spacing(cases),
    )
    splits = split_drawn(cases, test=test, test_cases=test_cases, validation=validation, seed=seed)
    return Dataset(markups_domain, splits, tuple(left_out))


def _affine(spacing: SpacingOption, entry: DicomEntry | None) -> np.ndarray:
    """Of the image plane that the points of an image were placed in; the identity where its spacing is unknown."""
    known_mm = chosen_spacing(spacing, None if entry is None else entry.slicer_spacing)
    return np.eye(4) if known_mm is None else np.diag([*known_mm, 1.0, 1.0])
