# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The head radiographs of the ISBI 2015 challenge."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from monai_gu2net.data.domain import Domain
from monai_gu2net.landmarks import LandmarkSet
from monai_gu2net.landmarks.anatomical_names import HEAD_LANDMARKS
from monai_gu2net.landmarks.formats import read_isbi_txt
from monai_gu2net.sources.source_case import (
    Case,
    Dataset,
    SpacingOption,
    chosen_spacing,
    existing_folder,
    files_by_stem,
    image_size,
    images_by_stem,
    made_cases,
    make_case,
    share_spacing,
    unmatched,
)
from monai_gu2net.sources.split import hold_out_validation

__all__ = ["Annotator", "read_head"]

Annotator = Literal["mean", "senior", "junior"]

_FOLDERS = {"senior": "400_senior", "junior": "400_junior"}
_ORIGINAL_SIZE = (1935, 2400)
_ORIGINAL_SPACING_MM = 0.1
_LAST_TRAINING, _LAST_TEST = 150, 400


def read_head(
    folder: str | os.PathLike[str],
    *,
    annotator: Annotator = "mean",
    domain: str = "head",
    size: Sequence[int] = (416, 512),
    spacing: SpacingOption = "default",
    validation: int | float = 0,
    seed: int = 0,
) -> Dataset:
    """Read ``raw/NNN.bmp`` (or png, jpg) with ``400_senior/NNN.txt`` and ``400_junior/NNN.txt``.

    The official split: 001-150 train, 151-300 (Test 1) and 301-400 (Test 2) test, as far as they are there.

    Args:
        folder: the dataset.
        annotator: whose points are the ground truth. "mean": the mean of both, the usual choice; both must
            have annotated the image. A case keeps the points of each under ``annotators`` as well.
        domain: name of the domain.
        size: the network's input size (width, height).
        spacing: "default": 0.1 mm at 1935x2400, for images of another size scaled with the size along each
            axis; "unknown"; or (sx, sy) mm per pixel.
        validation: a count (int) or a fraction (float) of the training images to hold out.
        seed: of that draw.

    Returns:
        Its domain, its cases by "training", "validation" and "test", and what was left out: images
        without annotation or without that of the annotator, annotations without image, and what is broken.

    Raises:
        ValueError: an image is not numbered 001 to 400, or none has an annotation of the annotator that can be read.

    Source: Wang et al., Medical Image Analysis 31 (2016); the paper, section 3 (150 and 250 images).
    """
    folder = existing_folder(Path(folder))
    if annotator not in ("mean", *_FOLDERS):
        raise ValueError(f"annotator must be 'mean', 'senior' or 'junior'; got {annotator!r}. Choose one.")
    images = images_by_stem(folder / "raw")
    annotated = {name: files_by_stem(folder / inner, ".txt") for name, inner in _FOLDERS.items()}
    both = {stem for files in annotated.values() for stem in files}
    left_out = unmatched(images, both, what="image", lacks="annotation", folder=folder)
    for files in annotated.values():
        left_out += unmatched(files, images, what="annotation", lacks="image", folder=folder)
    for stem, image in images.items():  # an image of elsewhere would be in one of the parts by chance
        number = int(stem) if stem.isdigit() else 0
        if not 1 <= number <= _LAST_TEST:
            raise ValueError(f"{image}: images must be numbered 001 to 400; got {stem!r}. Move other files elsewhere.")

    def made(stem: str, image: Path) -> Case:
        pixels = image_size(image)
        sets = _annotations(folder, annotated, stem, annotator)
        return make_case(
            image,
            _mean(sets.values()) if annotator == "mean" else sets[annotator],
            domain=domain,
            case=stem,
            size=pixels,
            spacing=chosen_spacing(spacing, _spacing(pixels)),
            annotators=sets,
        )

    cases, broken = made_cases({stem: image for stem, image in images.items() if stem in both}, made, folder)
    left_out += broken
    if not cases:
        raise ValueError(f"{folder}: raw/ must hold annotated images; got none. Unpack the dataset there.")
    head = Domain(
        name=domain,
        landmarks=HEAD_LANDMARKS,
        size=tuple(size),
        spacing=share_spacing(cases),
        ground_truth="mean of senior and junior" if annotator == "mean" else annotator,
    )
    training = [case for case in cases if int(case["case"]) <= _LAST_TRAINING]
    test = [case for case in cases if int(case["case"]) > _LAST_TRAINING]
    splits = hold_out_validation(training, test, validation=validation, seed=seed)
    return Dataset(head, splits, tuple(left_out))


def _annotations(
    folder: Path, annotated: Mapping[str, Mapping[str, Path]], stem: str, annotator: Annotator
) -> dict[str, LandmarkSet]:
    """The points of each annotator of an image; the one asked for must be among them, or both for the mean."""
    sets = {}
    for name, inner in _FOLDERS.items():
        if stem in annotated[name]:
            sets[name] = read_isbi_txt(annotated[name][stem], names=HEAD_LANDMARKS)
        elif annotator in ("mean", name):
            raise ValueError(
                f"{folder / inner / f'{stem}.txt'}: the annotation must be there for annotator={annotator!r}; got "
                "none. Add the file, or choose the other annotator for the whole dataset."
            )
    return sets


def _mean(sets: Iterable[LandmarkSet]) -> LandmarkSet:
    """The mean of both; a point that one of them left out is the other's."""
    points = np.stack([landmarks.points for landmarks in sets])
    given = ~np.isnan(points)
    with np.errstate(invalid="ignore"):
        mean = np.where(given, points, 0.0).sum(axis=0) / given.sum(axis=0)
    return LandmarkSet(HEAD_LANDMARKS, mean, "index")


def _spacing(pixels: tuple[int, int]) -> list[float]:
    """Mm per pixel of an original image that was resized to these pixels."""
    return [_ORIGINAL_SPACING_MM * whole / now for whole, now in zip(_ORIGINAL_SIZE, pixels, strict=True)]
