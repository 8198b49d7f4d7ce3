# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Landmarks that lie where they can hardly be, by how those of other images lie to each other: errors of annotation."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monai_gu2net.landmarks.shape import mean_shape, pose_of

__all__ = ["implausible_landmarks"]

_FEWEST = 20  # sets that have both landmarks of a pair, to judge it by
_BEYOND = (
    12.0  # standard deviations; the steepest curves among 481 spines stay below, vertebrae that are elsewhere do not
)
_LEAST_SPREAD = 0.02  # of a set's size: less is not known of any pair
_TO_DEVIATION = 1.4826  # from the median distance to the median, of a normal distribution


def implausible_landmarks(sets: Sequence[Any], *, any_pose: bool = False) -> list[list[int]]:
    """The landmarks of each set that can hardly be right.

    The way from one landmark to another, in units of the set's size, is compared with that of all sets: a pair is out
    of order where it lies more than 12 standard deviations (by the median of distances from the median, so that errors
    do not widen them) from the usual along an axis. The fewest landmarks that explain all pairs out of order are
    implausible, found one after the other, that of most pairs first.

    Args:
        sets: of (N, D) points in one unit and with one meaning of the axes; NaN: absent.
        any_pose: each set is turned onto the mean shape before, for images in any pose.

    Returns:
        For each set the indices of its implausible landmarks, in ascending order. A pair that fewer than 20 sets have
        is not judged, and a landmark that is in one pair out of order alone is not told from the other.
    """
    points = np.array([np.asarray(each, dtype=np.float64) for each in sets])
    if len(points) < _FEWEST:
        return [[] for _ in points]
    if any_pose:
        points = _in_one_pose(points)
    ways = _in_sizes(points[:, None] - points[:, :, None])
    with np.errstate(invalid="ignore"):
        usual, spread = _usual(ways)
        beyond: NDArray[np.bool_] = np.any(np.abs(ways - usual) > _BEYOND * np.maximum(spread, _LEAST_SPREAD), axis=-1)
    return [_fewest(np.asarray(pairs)) for pairs in beyond]


def _in_sizes(ways: NDArray[np.float64]) -> NDArray[np.float64]:
    """(K, N, N, D) ways from each landmark to each, in units of the size of their set.

    The size is the median over pairs of their length by the usual one, on which a few wrong landmarks have no hold.
    """
    first, second = np.triu_indices(ways.shape[1], 1)
    lengths = np.linalg.norm(ways, axis=-1)[:, first, second]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of a set or a pair without landmarks the median is NaN
        usual = np.nanmedian(lengths / np.nanmedian(lengths, axis=1, keepdims=True), axis=0)
        sizes = np.nanmedian(np.where(usual > 0, lengths / usual, np.nan), axis=1)
    sizes[~(sizes > 0)] = np.nan
    scaled: NDArray[np.float64] = ways / sizes[:, None, None, None]
    return scaled


def _usual(ways: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Median and spread of each pair's way; NaN where too few sets have it."""
    enough = np.isfinite(ways).sum(axis=0) >= _FEWEST
    usual, spread = np.full(ways.shape[1:], np.nan), np.full(ways.shape[1:], np.nan)
    usual[enough] = np.nanmedian(ways[:, enough], axis=0)
    spread[enough] = _TO_DEVIATION * np.nanmedian(np.abs(ways[:, enough] - usual[enough]), axis=0)
    return usual, spread


def _fewest(pairs: NDArray[np.bool_]) -> list[int]:
    """Of (N, N) pairs out of order the landmarks that explain them."""
    left, found = pairs.copy(), []
    while (counts := left.sum(axis=1)).max() > 1:
        worst = int(counts.argmax())
        found.append(worst)
        left[worst] = left[:, worst] = False
    return sorted(found)


def _in_one_pose(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each set turned onto the mean shape; NaN where it has too few landmarks to be."""
    turned = np.full_like(points, np.nan)
    try:
        shape = mean_shape(list(points))
    except ValueError:
        return turned
    for position, each in enumerate(points):
        pose = pose_of(each, shape)
        if pose is not None:
            turned[position] = each @ pose.rotation.T + pose.shift
    return turned
