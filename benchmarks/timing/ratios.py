# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""How many times as fast: the median of ratios within rounds, with a bootstrap interval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

__all__ = ["Ratio", "median_ratio"]


class Ratio(NamedTuple):
    """A median, and the ends of its 95 % interval."""

    median: float
    low: float
    high: float


def median_ratio(first: Sequence[float], other: Sequence[float], *, draws: int = 2000) -> Ratio:
    """The median of first / other over pairs of a round.

    Args:
        first: seconds by round.
        other: seconds by round, of the same rounds.
        draws: of the bootstrap over rounds, the same in every call.

    Example:
        >>> median_ratio([2.0, 4.0, 6.0], [1.0, 2.0, 3.0])
        Ratio(median=2.0, low=2.0, high=2.0)
    """
    ratios = np.asarray(first) / np.asarray(other)
    drawn = np.random.default_rng(0).choice(ratios, (draws, len(ratios)))
    low, high = np.quantile(np.median(drawn, axis=1), [0.025, 0.975])
    return Ratio(float(np.median(ratios)), float(low), float(high))
