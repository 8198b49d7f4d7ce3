# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What a network is to see of the volumes of a dataset: their spacing and how much of them at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from monai_gu2net.data.nearest_axes import nearest_axes
from monai_gu2net.sources.volume_frame import VolumeFrame

__all__ = ["VOXELS", "VolumeInput", "checked_frames", "volume_input"]

VOXELS = 96**3
"""Voxels that a network sees at once, where nobody says otherwise: what two processor cores train on in a few seconds a
step."""

_STEP = 16  # four halvings
_AXES = {"R": 0, "L": 0, "A": 1, "P": 1, "S": 2, "I": 2}
_COARSER = 1.01

Lengths = NDArray[np.float64]


@dataclass(frozen=True)
class VolumeInput:
    """What a network sees.

    Args:
        size: voxels along each axis, at once.
        target_spacing: mm per voxel along each axis; None: the scale of the volumes is not known, and each is resized.
        words: how it was chosen.
    """

    size: tuple[int, ...]
    target_spacing: tuple[float, ...] | None
    words: str


def volume_input(
    frames: Sequence[VolumeFrame],
    *,
    orientation: str,
    size: Sequence[int] | None = None,
    target_spacing: Sequence[float] | Literal["none"] | None = None,
) -> VolumeInput:
    """Spacing and size for volumes, as nnU-Net chooses them, for a smaller machine.

    The spacing is the median of the volumes along each axis, after they are turned. If the median volume has more than
    :data:`VOXELS` at it, the axes that are finer than a common length get that length, the smallest at which it has
    not. The size holds the largest volume, or, where that has more voxels, the median one: larger ones are then seen in
    windows. Its sides are multiples of 16, as four halvings ask for.

    Args:
        frames: of the volumes that train, of which all know their scale, or none.
        orientation: that they are turned to, such as "RAS".
        size: given; the spacing then is one at which the largest volume fits into it.
        target_spacing: given; the size then is chosen by it. "none": each is resized to the size, whatever its scale.

    Source: Isensee et al., Nature Methods 18 (2021), the fingerprint's median spacing and shape.
    """
    known = all(frame.known for frame in frames) and target_spacing != "none"
    turned = [_turned(frame, orientation, known) for frame in frames]
    counts = np.array([count for count, _ in turned], dtype=np.float64)
    spacings = np.array([spacing for _, spacing in turned])

    def voxels(target: Lengths) -> Lengths:
        """(volumes, 3) at a spacing, as MONAI's Spacing rounds them."""
        return np.round((counts - 1) * spacings / target) + 1

    median = np.array([float(f"{length:.5g}") for length in np.median(spacings, axis=0)])  # files have float32
    target, said = median, "the median of the training volumes"
    if known and target_spacing is not None:
        target, said = np.asarray(target_spacing, dtype=np.float64), "as given"
    elif size is not None:
        target = _coarser(median, lambda at: bool((voxels(at).max(axis=0) <= size).all()))
    else:
        target = _coarser(median, lambda at: math.prod(_sides(np.median(voxels(at), axis=0))) <= VOXELS)
    if said != "as given" and (target > median).any():
        limit = "the median one" if size is None else "the largest one"
        said = f"coarser than their median, {_shown(median)}, so that {limit} fits"
    at_target = voxels(target)
    chosen = tuple(size) if size is not None else _chosen(at_target)
    windows = int((at_target > np.array(chosen)).any(axis=1).sum())
    seen = f"{windows} of {len(frames)} are larger and seen in windows" if windows else "all are seen whole"
    if not known:
        why = "as asked for" if target_spacing == "none" else "for their scale is not known"
        return VolumeInput(chosen, None, f"resized to {' x '.join(map(str, chosen))} voxels, {why}")
    spacing = tuple(float(length) for length in target)
    at_once = f"{' x '.join(map(str, chosen))} voxels at once"
    words = f"turned to {orientation}, at {_shown(target)} mm per voxel ({said}), {at_once} ({seen})"
    return VolumeInput(chosen, spacing, words)


def checked_frames(
    frames: Mapping[str, VolumeFrame], *, domain: str, target_spacing: Sequence[float] | Literal["none"] | None
) -> None:
    """Refuse volumes that cannot be brought to one spacing.

    Args:
        frames: of all volumes by their names.
        domain: of them, for messages.
        target_spacing: see :func:`volume_input`.

    Raises:
        ValueError: some state their scale and others do not; none does, and there is a target spacing; or that is no
            spacing.
    """
    unknown = [name for name, frame in frames.items() if not frame.known]
    given = target_spacing not in (None, "none")
    if given and (len(target_spacing or ()) != 3 or not all(0 < float(at) < math.inf for at in target_spacing or ())):
        raise ValueError(
            f"target_spacing must be three positive numbers, mm per voxel; got {target_spacing}. Correct it."
        )
    if unknown and (given or len(unknown) < len(frames)):
        raise ValueError(
            f"The volumes of domain {domain!r} must all state their scale{'' if given else ', or none of them'}; got "
            f"{len(unknown)} of {len(frames)} that do not: {unknown[:5]}. Give their mm per voxel (--spacing, or "
            "columns spacing_x, spacing_y, spacing_z), or take them out."
        )


def _turned(frame: VolumeFrame, orientation: str, known: bool) -> tuple[Lengths, Lengths]:
    """Voxels and mm per voxel along the axes of an orientation; 1 where that is not known."""
    order = np.argmax(np.abs(nearest_axes(frame.affine)), axis=1)[[_AXES[letter] for letter in orientation]]
    return np.array(frame.size, dtype=np.float64)[order], frame.spacing[order] if known else np.ones(3)


def _coarser(finest: Lengths, fits: Callable[[Lengths], bool]) -> Lengths:
    """The finest of a spacing and its coarser ones, of three digits, at which something fits."""
    target, common = finest, float(finest.min())
    while not fits(target):
        common *= _COARSER
        digits = 2 - math.floor(math.log10(common))
        target = np.maximum(finest, math.ceil(common * 10**digits) / 10**digits)
    return target


def _sides(voxels: Lengths) -> tuple[int, ...]:
    """The size that holds so many voxels."""
    return tuple(_STEP * math.ceil(count / _STEP) for count in voxels.tolist())


def _chosen(voxels: Lengths) -> tuple[int, ...]:
    """The size that holds the largest volume, or else the median one, or else as much of it as there may be."""
    largest, sides = _sides(voxels.max(axis=0)), list(_sides(np.median(voxels, axis=0)))
    if math.prod(largest) <= VOXELS:
        return largest
    while math.prod(sides) > VOXELS:
        sides[sides.index(max(sides))] -= _STEP
    return tuple(sides)


def _shown(lengths: Lengths) -> str:
    return " x ".join(f"{length:.3g}" for length in lengths)
