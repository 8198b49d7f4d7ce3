# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The hand radiographs of the Digital Hand Atlas with Payer's annotation."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from monai_gu2net.data.domain import Domain, ReferenceLength
from monai_gu2net.files import LeftOut
from monai_gu2net.landmarks.anatomical_names import HAND_LANDMARKS
from monai_gu2net.landmarks.formats import read_payer_csv
from monai_gu2net.sources.source_case import (
    Case,
    Dataset,
    SpacingOption,
    chosen_spacing,
    existing_folder,
    image_size,
    images_by_stem,
    made_cases,
    make_case,
    share_spacing,
    unmatched,
)
from monai_gu2net.sources.split import split_in_order

__all__ = ["read_hand"]

_WRIST = (HAND_LANDMARKS[0], HAND_LANDMARKS[4])
_WRIST_MM = 50.0
_TRAINING_SHARE = 609 / 909


def read_hand(
    folder: str | os.PathLike[str],
    *,
    domain: str = "hand",
    size: Sequence[int] = (368, 512),
    spacing: SpacingOption = "default",
    test: int | float | None = None,
    test_cases: Sequence[str] | None = None,
    validation: int | float = 0,
    seed: int = 0,
    drawn: bool = False,
) -> Dataset:
    """Read ``jpg/ID.jpg`` (or png, bmp) with ``all.csv``, lines ``id,x1,y1,...,x37,y37``.

    The split of the paper: of all 909 images in the order of their ids, the first 609 train and the last 300
    test. Where only some of the images are there, the same share (609/909, rounded) trains, again from the
    start.

    Args:
        folder: the dataset.
        domain: name of the domain.
        size: the network's input size (width, height); by default that of the authors' code.
        spacing: "default": none is known but that of each image from its wrist, whose ends (landmarks 1 and
            5, one-based) are 50 mm apart; "unknown"; or (sx, sy) mm per pixel.
        test: a count (int) or a fraction (float) of the images for the test part, from the end, instead.
        test_cases: ids of the test part, instead.
        validation: a count (int) or a fraction (float) of the training images to hold out.
        seed: of that draw.
        drawn: draw the test part by patient instead of taking it from the end.

    Returns:
        Its domain, its cases by "training", "validation" and "test", and what was left out: broken
        lines and images, lines without image and images without line.

    Raises:
        ValueError: no line of the table is as it must be, or no image has a line in it.

    Source: Payer et al., Medical Image Analysis 54 (2019); the paper, section 3 (609 and 300 images).
    """
    folder = existing_folder(Path(folder))
    table = read_payer_csv(folder / "all.csv", names=HAND_LANDMARKS)
    images = images_by_stem(folder / "jpg")
    left_out = [
        *unmatched(images, table, what="image", lacks="line in all.csv", folder=folder),
        *table.left_out,
        *(LeftOut("line", f"all.csv id {key}", "it has no image") for key in table if key not in images),
    ]
    in_order = sorted((stem for stem in images if stem in table), key=lambda stem: (len(stem), stem))

    def made(stem: str, image: Path) -> Case:
        return make_case(
            image,
            table[stem],
            domain=domain,
            case=stem,
            size=image_size(image),
            spacing=chosen_spacing(spacing, None),
        )

    cases, broken = made_cases({stem: images[stem] for stem in in_order}, made, folder)
    left_out += broken
    if not cases:
        raise ValueError(f"{folder}: jpg/ must hold images whose ids stand in all.csv; got none. Unpack them there.")
    hand = Domain(
        name=domain,
        landmarks=HAND_LANDMARKS,
        size=tuple(size),
        spacing=share_spacing(cases),
        reference=ReferenceLength(*_WRIST, _WRIST_MM) if isinstance(spacing, str) and spacing == "default" else None,
    )
    splits = split_in_order(
        cases,
        training_share=_TRAINING_SHARE,
        test=test,
        test_cases=test_cases,
        validation=validation,
        seed=seed,
        drawn=drawn,
    )
    return Dataset(hand, splits, tuple(left_out))
