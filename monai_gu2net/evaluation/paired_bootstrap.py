# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The bootstrap of paired differences over images."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["paired_bootstrap"]

_BLOCK = 500  # draws held in memory at once


def paired_bootstrap(
    numerators: NDArray[np.float64],
    counts: NDArray[np.float64],
    *,
    resamples: int = 10_000,
    seed: int = 0,
) -> list[tuple[float, float, float]]:
    """95 % intervals and p-values of pooled mean differences, resampling images.

    An image enters with its difference d (sum over its landmarks of B - A) and its number of landmarks m, so
    that both tables are always drawn together. Images are drawn with replacement, as many as there are, and
    each draw gives the pooled mean difference sum(d) / sum(m). The interval is that of
    :func:`~monai_gu2net.evaluation.bootstrap_mean_interval`: quantiles of these, rounded outwards to ones that
    were drawn. The two-sided p-value belongs to it: twice the smaller share of draws at or beyond zero,

        p = min(1, 2 * (1 + min(#{draws <= 0}, #{draws >= 0})) / (1 + resamples)),

    where the ones keep it from being 0 with finitely many draws. Zero leaves the interval where p falls below
    about 0.05.

    Args:
        numerators: (images, K) differences of K quantities, drawn together.
        counts: (images,) numbers of landmarks, at least 1.
        resamples: number of draws.
        seed: of the draws.

    Returns:
        (low, high, p) of each quantity; NaN with fewer than two images.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), percentile interval, and p-values from
    inverted intervals; Phipson and Smyth, Stat. Appl. Genet. Mol. Biol. 9 (2010), the ones.
    """
    images, quantities = numerators.shape
    if images < 2:
        return [(math.nan, math.nan, math.nan)] * quantities
    generator = np.random.default_rng(seed)
    blocks = []
    for start in range(0, resamples, _BLOCK):
        size = min(_BLOCK, resamples - start)
        drawn = generator.integers(images, size=(size, images)) + images * np.arange(size)[:, None]
        weights = np.bincount(drawn.ravel(), minlength=size * images).reshape(size, images).astype(np.float64)
        blocks.append((weights @ numerators) / (weights @ counts)[:, None])
    means = np.sort(np.concatenate(blocks), axis=0)
    cut = int((1 - 0.95) / 2 * resamples)
    fewer = np.minimum((means <= 0).sum(axis=0), (means >= 0).sum(axis=0))
    p_values = np.minimum(1, 2 * (1 + fewer) / (1 + resamples))
    return [
        (float(low), float(high), float(p))
        for low, high, p in zip(means[cut], means[resamples - 1 - cut], p_values, strict=True)
    ]
