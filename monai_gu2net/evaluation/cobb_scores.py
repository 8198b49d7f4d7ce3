# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Cobb angles as the AASCE challenge scores them."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from monai_gu2net.evaluation.summary import bootstrap_mean_interval
from monai_gu2net.measurements import AASCE_ANGLES

__all__ = ["score_cobb_angles", "smape"]


def smape(found: ArrayLike, reference: ArrayLike) -> NDArray[np.float64]:
    """Symmetric mean absolute percentage error of each image; the score of many is their mean.

    Two definitions are in use. This is the challenge's, the mean over the images of

        100 * sum abs(found - reference) / sum (found + reference),

    both sums over the angles of one image. The other one has both sums over all angles of all images, so that straight
    spines, of which a degree is a large share, count for less; it is not the mean of these.

    Args:
        found: (K, A) angles, not negative.
        reference: (K, A) angles, not negative.

    Returns:
        (K,) percent, 0 to 100. 0 where all angles of an image are 0, found and reference alike. NaN where any is NaN.

    Raises:
        ValueError: the shapes differ, or an angle is negative.

    Example:
        >>> smape([[30.0, 10.0, 20.0]], [[20.0, 10.0, 10.0]]).tolist()
        [20.0]

    Source: Wang et al., Medical Image Analysis 72 (2021) 102115, the AASCE challenge.
    """
    ours, theirs = np.asarray(found, dtype=np.float64), np.asarray(reference, dtype=np.float64)
    if ours.shape != theirs.shape or ours.ndim != 2:
        raise ValueError(
            f"found and reference must be images by angles, alike; got shapes {ours.shape} and {theirs.shape}. "
            "Give a row per image."
        )
    if (ours < 0).any() or (theirs < 0).any():
        raise ValueError(
            f"angles must not be negative; got {min(np.nanmin(ours), np.nanmin(theirs))}. Give their size."
        )
    apart, total = np.abs(ours - theirs).sum(axis=1), (ours + theirs).sum(axis=1)
    return np.asarray(100 * apart / np.where(total == 0, 1, total))


def score_cobb_angles(measured: pd.DataFrame) -> pd.DataFrame:
    """The scores of each domain of spines.

    Args:
        measured: from :func:`~monai_gu2net.evaluation.measure_rows`.

    Returns:
        A table with a row per domain whose reference has the challenge's three angles: ``domain``; ``images`` with
        them in both; ``lost``, images with them in the reference alone; ``smape`` in percent, the mean over images, see
        :func:`smape`, and ``mae`` in degrees, over all three angles, each with its 95 % bootstrap interval over images:
        ``smape_low``, ``smape_high``, ``mae_low``, ``mae_high``. NaN where nothing was measured.
    """
    scores = []
    ours = measured[measured["name"].isin(AASCE_ANGLES)]
    ours = ours.drop_duplicates(["domain", "case", "name"], keep="last")  # what is declared under these names is other
    for domain, group in ours.groupby("domain", sort=False):
        found, reference = (
            group.pivot(index="case", columns="name", values=of)[list(AASCE_ANGLES)].to_numpy(dtype=np.float64)
            for of in ("value", "reference")
        )
        annotated = ~np.isnan(reference).any(axis=1)
        both = annotated & ~np.isnan(found).any(axis=1)
        if not annotated.any():
            continue
        shares, apart = smape(found[both], reference[both]), np.abs(found[both] - reference[both])
        score = {"domain": domain, "images": int(both.sum()), "lost": int((annotated & ~both).sum())}
        for name, of in (("smape", shares[:, None]), ("mae", apart)):
            low, high = bootstrap_mean_interval(of.tolist())
            score |= {name: float(of.mean()) if of.size else math.nan, f"{name}_low": low, f"{name}_high": high}
        scores.append(score)
    return pd.DataFrame(scores)
