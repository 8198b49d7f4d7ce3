# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Chest radiographs with the annotation of the GU2Net authors."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from monai_gu2net.data.domain import Domain
from monai_gu2net.files import LeftOut
from monai_gu2net.landmarks.anatomical_names import CHEST_LANDMARKS
from monai_gu2net.landmarks.formats import read_fraction_txt
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
from monai_gu2net.sources.split import split_in_order

__all__ = ["CHEST_EXCLUDED", "read_chest"]

# exclude_list of the authors' config.yaml
CHEST_EXCLUDED = tuple(f"CHNCXR_{n:04d}_0" for n in (59, 178, 228, 267, 276, 285, 295, 303, 310))
_TRAINING_SHARE = 229 / 279
_JSRT_PREFIX = "JPC"
_JSRT_EXTENT_MM = 2048 * 0.175


def read_chest(
    folder: str | os.PathLike[str],
    *,
    domain: str = "chest",
    size: Sequence[int] = (512, 512),
    spacing: SpacingOption = "default",
    exclude: Sequence[str] = CHEST_EXCLUDED,
    test: int | float | None = None,
    test_cases: Sequence[str] | None = None,
    validation: int | float = 0,
    seed: int = 0,
    drawn: bool = False,
) -> Dataset:
    """Read ``pngs/NAME.png`` (or jpg, bmp) with ``labels/NAME.txt``, a count and fractions.

    The split of the paper: of 279 images in the order of their names, the first 229 train and the last 50
    test. (Its code then excludes nine images, those of ``exclude``, before it takes the first 229; this
    leaves 41 to test.) With other numbers of images the same share (229/279, rounded) trains, again from the
    start; the share is that of the images before the exclusion, as in the authors' code.

    Args:
        folder: the dataset.
        domain: name of the domain.
        size: the network's input size (width, height).
        spacing: "default": JSRT's 0.175 mm at 2048x2048, scaled with the image's size, for images that are
            named as JSRT's (``JPC...``), and unknown for others; "unknown"; or (sx, sy) mm per pixel.
        exclude: names of images to leave out.
        test: a count (int) or a fraction (float) of the images for the test part, from the end, instead.
        test_cases: names of the test part, instead.
        validation: a count (int) or a fraction (float) of the training images to hold out.
        seed: of that draw.
        drawn: draw the test part by patient instead of taking it from the end.

    Returns:
        Its domain, its cases by "training", "validation" and "test", and what was left out: images
        without label, labels without image, what is broken, and those to exclude. Left and right are the patient's.

    Raises:
        ValueError: no image has a label, or none can be read.

    Source: https://github.com/MIRACLE-Center/YOLO_Universal_Anatomical_Landmark_Detection, datasets/chest.py
    and config.yaml; Shiraishi et al., American Journal of Roentgenology 174 (2000), JSRT.
    """
    folder = existing_folder(Path(folder))
    images = images_by_stem(folder / "pngs")
    labels = files_by_stem(folder / "labels", ".txt")
    left_out = [
        *unmatched(images, labels, what="image", lacks="label", folder=folder),
        *unmatched(labels, images, what="label", lacks="image", folder=folder),
    ]

    def made(stem: str, image: Path) -> Case:
        pixels = image_size(image)
        return make_case(
            image,
            read_fraction_txt(labels[stem], image_size=pixels, names=CHEST_LANDMARKS),
            domain=domain,
            case=stem,
            size=pixels,
            spacing=chosen_spacing(spacing, _spacing(stem, pixels)),
        )

    cases, broken = made_cases({stem: image for stem, image in images.items() if stem in labels}, made, folder)
    left_out += broken
    kept = [case for case in cases if case["case"] not in exclude]
    left_out += [LeftOut("image", case["case"], "it is to be excluded") for case in cases if case["case"] in exclude]
    if not kept:
        raise ValueError(f"{folder}: pngs/ must hold images with a label; got none. Unpack the dataset there.")
    chest = Domain(name=domain, landmarks=CHEST_LANDMARKS, size=tuple(size), spacing=share_spacing(kept))
    splits = split_in_order(
        kept,
        training_share=min(1.0, _TRAINING_SHARE * len(cases) / len(kept)),
        test=test,
        test_cases=test_cases,
        validation=validation,
        seed=seed,
        drawn=drawn,
    )
    return Dataset(chest, splits, tuple(left_out))


def _spacing(name: str, pixels: tuple[int, int]) -> list[float] | None:
    """Mm per pixel of one image, where its name says that it is JSRT's."""
    return [_JSRT_EXTENT_MM / count for count in pixels] if name.startswith(_JSRT_PREFIX) else None
