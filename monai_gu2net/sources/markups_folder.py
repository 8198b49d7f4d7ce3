# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""A folder of images, each with a point list of 3D Slicer of the same name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from monai_gu2net.data.volume import VOLUMES
from monai_gu2net.files import LeftOut
from monai_gu2net.landmarks import LandmarkSet, image_plane_affine
from monai_gu2net.landmarks.formats import FIDUCIALS_EXTENSION, MARKUPS_EXTENSION, read_fiducial_csv, read_markups
from monai_gu2net.landmarks.formats.parsing import ParseError
from monai_gu2net.sources.folder_files import (
    dicom_images,
    files_by_stem,
    images_by_stem,
    reason_within,
    unmatched,
)
from monai_gu2net.sources.source import Entry
from monai_gu2net.sources.volume_frame import is_volume, volume_frame

__all__ = ["has_markups", "markups_entries"]


def has_markups(folder: Path) -> bool:
    """Whether a folder, or its ``images/``, has point lists of Slicer."""
    return any(_lists(place) for place in (folder, folder / "images"))


def markups_entries(
    folder: Path, *, landmarks: Sequence[str] | None = None, spacing: Sequence[float] | str = "default"
) -> Iterator[Entry | LeftOut]:
    """``NAME.png`` (or of another kind) with ``NAME.mrk.json`` or ``NAME.fcsv``, in the folder or its ``images/``.

    A volume is ``NAME.nii.gz`` (or nii, nrrd, mha, mhd), or a folder ``NAME`` that holds a DICOM series. Datasets with
    several images of a patient that are not DICOM go into a table.

    Args:
        folder: the dataset.
        landmarks: names and order of the landmarks; by default all labels in the order in which the files, sorted by
            name, bring them up. A label that is not among them is an error.
        spacing: mm per pixel that the points were placed with. "default": for a DICOM image that at which 3D Slicer
            shows it, else none; "unknown": none. With none the points are pixel indices, since Slicer gives such images
            1 mm per pixel. A case has no spacing of it: what the file states is read again with it. The points of a
            volume are placed by the affine of its file, whose axes get these lengths where they are given.

    Raises:
        ValueError: no file of those with an image can be read.
    """
    place = folder if _lists(folder) else folder / "images"
    files = _lists(place)
    for stem, old in files_by_stem(place, FIDUCIALS_EXTENSION).items():
        if files[stem] != old:
            yield LeftOut("markups file", old.relative_to(folder).as_posix(), f"{files[stem].name} is there, too")
    images = images_by_stem(place)
    yield from unmatched(images, files, what="image", lacks="markups", folder=folder)
    yield from unmatched(files, images, what="markups file", lacks="image", folder=folder)
    headers = dicom_images(place, named=[path for path in images.values() if path.is_dir()])
    made: list[Entry] = []
    broken: list[LeftOut] = []
    odd: list[LeftOut] = []
    for stem in (stem for stem in files if stem in images):
        image, header = images[stem], headers.get(images[stem])
        shown_mm = (
            spacing if not isinstance(spacing, str) else header and spacing == "default" and header.slicer_spacing
        )
        try:
            solid = is_volume(image, header)
            if not solid and image.name.lower().endswith(VOLUMES):  # Slicer places it by what is not read
                raise ValueError("one slice, whose place in Slicer is not known; list its points in a table, in pixels")
        except (OSError, ValueError) as error:
            broken.append(LeftOut("image", image.relative_to(folder).as_posix(), reason_within(folder, error)))
            continue
        try:
            read = read_markups if files[stem].name.endswith(MARKUPS_EXTENSION) else read_fiducial_csv
            found = read(files[stem], names=landmarks, dims=3 if solid else 2)
        except ParseError as error:
            broken.append(
                LeftOut("markups file", files[stem].relative_to(folder).as_posix(), reason_within(folder, error))
            )
            continue
        odd += found.left_out if place == folder else (item.within(place.name) for item in found.left_out)
        if solid:
            given = None if isinstance(spacing, str) else spacing
            made.append(Entry(image, partial(_placed, found, image, given), dicom=header))
            continue
        plane = image_plane_affine(shown_mm) if shown_mm else np.eye(4)
        made.append(Entry(image, found.to_index(plane), dicom=header))
    if broken and not made:
        raise ValueError(f"{folder}: images must have markups that can be read; got none: {broken[0].reason}")
    yield from broken
    yield from odd
    yield from made


def _lists(place: Path) -> dict[str, Path]:
    """The point lists of a folder by the names of their images; a ``.mrk.json`` goes before a ``.fcsv``."""
    return dict(sorted((files_by_stem(place, FIDUCIALS_EXTENSION) | files_by_stem(place, MARKUPS_EXTENSION)).items()))


def _placed(found: LandmarkSet, image: Path, spacing: Sequence[float] | None, _: object) -> LandmarkSet:
    """Points in voxels of the volume that Slicer showed them on; it takes one of unknown scale for 1 mm per voxel."""
    return found.to_index(volume_frame(image).at_spacing(spacing).affine)
