# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The paper's datasets, in the layouts of its authors: heads of the ISBI 2015 challenge, hands, chests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from monai_gu2net.files import LeftOut
from monai_gu2net.landmarks import LandmarkSet
from monai_gu2net.landmarks.anatomical_names import CHEST_LANDMARKS, HAND_LANDMARKS, HEAD_LANDMARKS
from monai_gu2net.landmarks.formats import read_fraction_txt, read_isbi_txt, read_payer_csv
from monai_gu2net.sources.folder_files import files_by_stem, images_by_stem, unmatched
from monai_gu2net.sources.source import Entry

__all__ = ["chest_entries", "hand_entries", "head_entries"]

_ANNOTATORS = {"senior": "400_senior", "junior": "400_junior"}
_HEAD_EXTENT_MM = (0.1 * 1935, 0.1 * 2400)
_LAST_TRAINING, _LAST_TEST = 150, 400
# exclude_list of the authors' config.yaml
_CHEST_EXCLUDED = {f"CHNCXR_{n:04d}_0" for n in (59, 178, 228, 267, 276, 285, 295, 303, 310)}
_JSRT_PREFIX = "JPC"
_JSRT_EXTENT_MM = (2048 * 0.175,) * 2


def head_entries(folder: Path, *, annotator: str = "mean") -> Iterator[Entry | LeftOut]:
    """``raw/NNN.bmp`` (or png, jpg) with ``400_senior/NNN.txt`` and ``400_junior/NNN.txt``, of two annotators.

    The official split: 001-150 train, 151-300 (Test 1) and 301-400 (Test 2) test, as far as they are there. An image is
    0.1 mm per pixel at 1935x2400, and of another size scaled with it along each axis.

    Args:
        folder: the dataset.
        annotator: must have annotated an image; for "mean", the usual choice, both must.

    Raises:
        ValueError: the annotator is another one, or an image is not numbered 001 to 400.

    Source: Wang et al., Medical Image Analysis 31 (2016); the paper, section 3 (150 and 250 images).
    """
    if annotator not in ("mean", *_ANNOTATORS):
        raise ValueError(f"annotator must be 'mean', 'senior' or 'junior'; got {annotator!r}. Choose one.")
    images = images_by_stem(folder / "raw")
    annotated = {name: files_by_stem(folder / inner, ".txt") for name, inner in _ANNOTATORS.items()}
    both = {stem for files in annotated.values() for stem in files}
    yield from unmatched(images, both, what="image", lacks="annotation", folder=folder)
    for files in annotated.values():
        yield from unmatched(files, images, what="annotation", lacks="image", folder=folder)
    for stem, image in images.items():
        number = int(stem) if stem.isdigit() else 0
        if not 1 <= number <= _LAST_TEST:  # an image of elsewhere would be in one of the parts by chance
            raise ValueError(f"{image}: images must be numbered 001 to 400; got {stem!r}. Move other files elsewhere.")
        if stem in both:
            split = "training" if number <= _LAST_TRAINING else "test"
            read = partial(
                _read_head, folder, {who: files.get(stem) for who, files in annotated.items()}, stem, annotator
            )
            yield Entry(image, read, split=split, extent_mm=_HEAD_EXTENT_MM)


def _read_head(
    folder: Path, files: Mapping[str, Path | None], stem: str, annotator: str, _: object
) -> dict[str, LandmarkSet]:
    """The points of each annotator of an image; the one asked for must be among them, or both for the mean."""
    for name, file in files.items():
        if file is None and annotator in ("mean", name):
            raise ValueError(
                f"{folder / _ANNOTATORS[name] / f'{stem}.txt'}: the annotation must be there for "
                f"annotator={annotator!r}; got none. Add the file, or choose the other annotator for the whole dataset."
            )
    return {name: read_isbi_txt(file, names=HEAD_LANDMARKS) for name, file in files.items() if file is not None}


def hand_entries(folder: Path) -> Iterator[Entry | LeftOut]:
    """``jpg/ID.jpg`` (or png, bmp) of the Digital Hand Atlas with ``all.csv``, lines ``id,x1,y1,...,x37,y37``.

    They are in the order of their ids, of which the paper trains with the first 609 of 909.

    Raises:
        ValueError: no line of the table is as it must be.

    Source: Payer et al., Medical Image Analysis 54 (2019); the paper, section 3 (609 and 300 images).
    """
    table = read_payer_csv(folder / "all.csv", names=HAND_LANDMARKS)
    images = images_by_stem(folder / "jpg")
    yield from unmatched(images, table, what="image", lacks="line in all.csv", folder=folder)
    yield from table.left_out
    yield from (LeftOut("line", f"all.csv id {key}", "it has no image") for key in table if key not in images)
    for stem in sorted(images, key=lambda stem: (len(stem), stem)):
        if stem in table:
            yield Entry(images[stem], partial(_hand_line, table, stem))


def _hand_line(table: Mapping[str, LandmarkSet], stem: str, _: object) -> LandmarkSet:
    """The points of an image, of any size."""
    return table[stem]


def chest_entries(folder: Path) -> Iterator[Entry | LeftOut]:
    """``pngs/NAME.png`` (or jpg, bmp) with ``labels/NAME.txt``, a count and fractions.

    Left and right are the patient's. The images are in the order of their names, of which the paper trains with the
    first 229 of 279; its code leaves out nine before it takes them, so that 41 are left to test. JSRT's, by their names
    (``JPC...``), are 0.175 mm per pixel at 2048x2048, and of another size scaled with it; others are unknown.

    Source: https://github.com/MIRACLE-Center/YOLO_Universal_Anatomical_Landmark_Detection, datasets/chest.py
    and config.yaml; Shiraishi et al., American Journal of Roentgenology 174 (2000), JSRT.
    """
    images = images_by_stem(folder / "pngs")
    labels = files_by_stem(folder / "labels", ".txt")
    yield from unmatched(images, labels, what="image", lacks="label", folder=folder)
    yield from unmatched(labels, images, what="label", lacks="image", folder=folder)
    for stem, image in images.items():
        if stem in labels:
            yield Entry(
                image,
                partial(_read_chest, labels[stem]),
                extent_mm=_JSRT_EXTENT_MM if stem.startswith(_JSRT_PREFIX) else None,
                reason="it is to be excluded" if stem in _CHEST_EXCLUDED else None,
            )


def _read_chest(label: Path, size: Sequence[int]) -> LandmarkSet:
    """The points of an image of this size."""
    return read_fraction_txt(label, image_size=size, names=CHEST_LANDMARKS)
