# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What a source of cases is: a kind of dataset folder, and what it says of each of its images."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from monai_gu2net.data.dicom_entries import DicomEntry
from monai_gu2net.data.domain import Domain
from monai_gu2net.files import LeftOut
from monai_gu2net.landmarks import LandmarkSet

__all__ = ["Annotation", "Entry", "Source"]

# of one annotator, or of several by name
Annotation = LandmarkSet | Mapping[str, LandmarkSet]


@dataclass(frozen=True)
class Entry:
    """An annotated image of a dataset.

    Args:
        image: the file, in the dataset's folder.
        landmarks: (N, D) in pixel indices, those of a volume also in LPS or RAS mm of its file; or, where more than one
            annotated, those of each by name, of which the mean or that of the annotator asked for is the ground truth.
            Or a function of the image's size, called once that is known, that reads them and raises a ValueError where
            the annotation is broken, which costs this case alone.
        patient: who is on it; by default what DICOM says under a label without meaning, else every image is one.
        split: "training", "validation" or "test" where the dataset says so.
        spacing: mm per pixel along each axis; None: unknown.
        extent_mm: of the whole image along each axis instead, where images may have been resized.
        listed: what the dataset's list calls the image, if it has one; the case is named after it.
        dicom: the image's header where it is DICOM that was looked at; one that is broken stays, as a case that fails.
        reason: why the image cannot be used, although it can be read.
        also: the same landmarks of a volume in another frame, which must say the same to a tenth of a voxel.
    """

    image: Path
    landmarks: Annotation | Callable[[Sequence[int]], Annotation]
    patient: str | None = None
    split: str | None = None
    spacing: Sequence[float] | None = None
    extent_mm: Sequence[float] | None = None
    listed: str | None = None
    dicom: DicomEntry | None = None
    reason: str | None = None
    also: LandmarkSet | None = None


@dataclass(frozen=True)
class Source:
    """A kind of dataset folder.

    Args:
        look: what its folders look like, in words.
        fits: whether a folder, which is there, looks so.
        entries: yields the annotated images of a folder, in the order that a test part is taken from the end of, what
            is left out of it, and, in words, what else there is to say of how it is read. Of the options of
            :func:`~monai_gu2net.sources.read_layout` it takes ``landmarks``, ``annotator``, ``spacing`` or ``points``
            by having a keyword of that name.
        domain: of every such folder; by default the folder's name, the landmarks of all entries, and an input size in
            the images' proportions. Its reference length holds where no other spacing is asked for.
        official: the split of the entries is that of the dataset's makers, so that no test part can be chosen; a
            validation part is drawn from the training part.
        training_share: share of the entries, from the start, that trains; by default patients are drawn.
        empty: what must hold, got none, and what to do, where no entry is left.
        table: the file in the folder that lists the images and may say their split.
        opens_files: ``fits`` opens files and is asked last, where nothing else fits.
    """

    look: str
    fits: Callable[[Path], bool]
    entries: Callable[..., Iterator[Entry | LeftOut] | Iterator[Entry | LeftOut | str]]
    domain: Domain | None = None
    official: bool = False
    training_share: float | None = None
    empty: str = "a dataset must have annotated images; got none. Check the folder."
    table: str = ""
    opens_files: bool = False
