# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""A folder of images, each with a point list of 3D Slicer of the same name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from monai_gu2net.files import LeftOut
from monai_gu2net.landmarks import image_plane_affine
from monai_gu2net.landmarks.formats import MARKUPS_EXTENSION, read_markups
from monai_gu2net.landmarks.formats.parsing import ParseError
from monai_gu2net.sources.folder_files import (
    dicom_images,
    files_by_stem,
    images_by_stem,
    reason_within,
    unmatched,
)
from monai_gu2net.sources.source import Entry

__all__ = ["markups_entries"]


def markups_entries(
    folder: Path, *, landmarks: Sequence[str] | None = None, spacing: Sequence[float] | str = "default"
) -> Iterator[Entry | LeftOut]:
    """``NAME.png`` (or jpg, bmp, tif, dcm) with ``NAME.mrk.json``, in the folder or its ``images/``.

    Datasets with several images of a patient that are not DICOM go into a table.

    Args:
        folder: the dataset.
        landmarks: names and order of the landmarks; by default all labels in the order in which the files, sorted by
            name, bring them up. A label that is not among them is an error.
        spacing: mm per pixel that the points were placed with. "default": for a DICOM image that at which 3D Slicer
            shows it, else none; "unknown": none. With none the points are pixel indices, since Slicer gives such images
            1 mm per pixel. A case has no spacing of it: what the file states is read again with it.

    Raises:
        ValueError: no file of those with an image can be read.
    """
    place = folder if any(folder.glob(f"*{MARKUPS_EXTENSION}")) else folder / "images"
    files = files_by_stem(place, MARKUPS_EXTENSION)
    images = images_by_stem(place)
    yield from unmatched(images, files, what="image", lacks="markups", folder=folder)
    yield from unmatched(files, images, what="markups file", lacks="image", folder=folder)
    headers = dicom_images(place)
    made: list[Entry] = []
    broken: list[LeftOut] = []
    odd: list[LeftOut] = []
    for stem in (stem for stem in files if stem in images):
        image, header = images[stem], headers.get(images[stem])
        shown_mm = (
            spacing if not isinstance(spacing, str) else header and spacing == "default" and header.slicer_spacing
        )
        try:
            found = read_markups(files[stem], names=landmarks, dims=2)
        except ParseError as error:
            broken.append(
                LeftOut("markups file", files[stem].relative_to(folder).as_posix(), reason_within(folder, error))
            )
            continue
        odd += found.left_out if place == folder else (item.within(place.name) for item in found.left_out)
        plane = image_plane_affine(shown_mm) if shown_mm else np.eye(4)
        made.append(Entry(image, found.to_index(plane), dicom=header))
    if broken and not made:
        raise ValueError(f"{folder}: images must have markups that can be read; got none: {broken[0].reason}")
    yield from broken
    yield from odd
    yield from made
