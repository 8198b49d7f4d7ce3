# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Images and labels that MONAI Label hands to a bundle's training, as a datalist."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from monai_gu2net.data import Datalist
from monai_gu2net.label_app.label_frame import label_frame, read_image
from monai_gu2net.label_app.labels import LabelRefusedError, check_label, usable_cases
from monai_gu2net.landmarks import LandmarkSet
from monai_gu2net.landmarks.coordinates import index_to_mm, spatial_affine
from monai_gu2net.landmarks.formats import MARKUPS_EXTENSION
from monai_gu2net.networks import ModelCard

__all__ = ["datalist_of_pairs", "read_discs"]

_OFF_GRID = 0.01  # voxels by which affines that were saved in single precision may differ


def datalist_of_pairs(
    training: Sequence[Mapping[str, str]] | None,
    validation: Sequence[Mapping[str, str]] | None,
    *,
    checkpoint: str | os.PathLike[str],
    domain: str,
) -> Datalist | None:
    """The datalist of image-label pairs to go on training a model with.

    A label is a point list of Slicer, whose names tell its domain, or an image of discs, see :func:`read_discs`. What
    cannot be a label is left out, and a warning says why.

    Args:
        training: pairs of ``image`` and ``label``, files; None: there are none, and the data comes from elsewhere.
        validation: the same; None or empty: nothing is validated.
        checkpoint: the model, whose domains the labels are of.
        domain: of the labels that are discs.

    Returns:
        The datalist, with the domains that the labels are of, and without the spacing of the images that the model was
        trained on; None without pairs.

    Raises:
        FileNotFoundError: there is no such model.
        ValueError: the domain is not one of the model's, or none of the labels can be used for training.
    """
    if training is None:
        return None
    domains = ModelCard.load(checkpoint).domains_for_new_images
    if domain not in domains:
        raise ValueError(f"domain must be among the model's {list(domains)}; got {domain!r}. Name one of them.")

    def read(pair: Mapping[str, str], case: str) -> tuple[str, LandmarkSet]:
        label, image = pair["label"], pair["image"]
        if label.lower().endswith(MARKUPS_EXTENSION):
            return check_label(label, image, domains=domains, called=repr(case))
        return domain, read_discs(label, image, landmarks=domains[domain].landmarks, called=repr(case))

    cases, kept = usable_cases(training, read), usable_cases(validation or (), read)
    if not cases:
        raise ValueError(
            f"Labels must have one to train on; got none of {len(training)} that can be used. Label images."
        )
    used = {case["domain"] for case in (*cases, *kept)}
    own = {name: each for name, each in domains.items() if name in used}
    return Datalist("labels", own, training=cases, validation=kept)


def read_discs(
    label: str | os.PathLike[str], image: str | os.PathLike[str], *, landmarks: Sequence[str], called: str = "the image"
) -> LandmarkSet:
    """Landmarks as the centroids of a label image's values: 1 is the first landmark, a value that is not there absent.

    The label of a volume may have its axes in another order or direction than the image, as viewers save it; it then
    lies where its own affine says.

    Args:
        label: the file, on the grid of the image.
        image: the image's file.
        landmarks: N names, in the order of the values.
        called: what messages call the image.

    Returns:
        The landmarks in pixels of the image file, NaN for absent ones.

    Raises:
        LabelRefusedError: it is no image or one of another size, has a value that is not a landmark's, or none at all.
        FileNotFoundError, ValueError: the image cannot be read.
    """
    path = Path(label)
    try:
        values, meta = read_image(path)
    except (OSError, ValueError) as error:
        reason = str(error).replace(path.name, "the file")
        raise LabelRefusedError(f"The label of {called} must be a point list or an image ({reason})") from None
    frame = label_frame(image)
    to_image = np.eye(4)
    if frame.dims == values.ndim == 3 and frame.image_unit == "mm" and meta["spacing_source"] != "none":
        to_image = np.linalg.inv(frame.image_affine) @ meta["affine"]
    if not _is_same_grid(values.shape, frame.size, to_image):
        raise LabelRefusedError(
            f"The label of {called} must have the image's {frame.extent}; got {values.shape}. "
            "Draw it on the image itself."
        )
    found = np.unique(values[values != 0])
    if not found.size:
        raise LabelRefusedError(f"The label of {called} must have a disc; got an empty image. Label the image.")
    if not np.isin(found, np.arange(1, len(landmarks) + 1)).all():
        raise LabelRefusedError(
            f"The values of the label of {called} must be whole numbers from 0 to {len(landmarks)}, the number of "
            f"landmarks; got {found.min():g} to {found.max():g}. Choose the right model."
        )
    points = np.full((len(landmarks), frame.dims), np.nan)
    for value in found.astype(int):
        points[value - 1] = np.argwhere(values == value).mean(axis=0)
    return LandmarkSet(tuple(landmarks), index_to_mm(points, spatial_affine(to_image, frame.dims)), "index")


def _is_same_grid(shape: tuple[int, ...], size: tuple[int, ...], to_image: np.ndarray) -> bool:
    """Whether a label's pixels are those of its image, for a volume in whatever order and direction its axes are."""
    if len(shape) != len(size):
        return False
    to_image = spatial_affine(to_image, len(size))
    ends = np.stack([np.zeros(len(shape)), np.subtract(shape, 1)])
    carried = np.sort(index_to_mm(ends, to_image), axis=0)
    expected = [np.zeros(len(size)), np.subtract(size, 1)]
    turned = to_image[:-1, :-1]
    return np.allclose(turned, np.rint(turned), atol=_OFF_GRID) and np.allclose(carried, expected, atol=_OFF_GRID)
