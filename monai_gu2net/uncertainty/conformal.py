# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""How far off a prediction may be, by the errors of annotated images that took no part in training."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["LEVELS", "RADIUS_LEVEL", "Calibration", "calibrate", "conformal_quantile"]

LEVELS: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
RADIUS_LEVEL = 0.9  # of the radius that tables, files and pictures state

_PRIOR_COUNT = 20.0  # annotated images at which a landmark's own scale weighs as much as the domain's
_MOST_CONFIDENCES = 1000

Array = NDArray[np.float64]


def conformal_quantile(scores: ArrayLike, level: float) -> float:
    """The score that a new one, exchangeable with these, stays at or below with at least this probability.

    Args:
        scores: of any shape; NaN is left out, inf is a score above every radius.
        level: from 0 to 1, both excluded.

    Returns:
        The ceil((n + 1) * level)-th smallest of the n scores; inf if there are too few, n < level / (1 - level).

    Example:
        >>> conformal_quantile([3.0, 1.0, 2.0, 5.0, 4.0, 9.0, 7.0, 8.0, 6.0], 0.9)
        9.0

    Source: Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World (2005); Angelopoulos and Bates,
    A Gentle Introduction to Conformal Prediction (2021), section 1.
    """
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, both excluded; got {level}. Pass such as 0.9.")
    values = np.asarray(scores, dtype=np.float64).ravel()
    values = np.sort(values[~np.isnan(values)])
    # 10 * 0.9 is 9.000000000000002 as a float and must not be the tenth of nine
    rank = math.ceil(round((values.size + 1) * level, 9))
    return float(values[rank - 1]) if rank <= values.size else math.inf


@dataclass(frozen=True)
class Calibration:
    """What the errors of annotated images say of one domain's predictions, by a model used in one way.

    It relates an error to the spread of its heatmap, both in one unit, and has therefore no unit itself: it holds for
    images in mm and for those whose spacing is not known.

    Args:
        quantiles: level -> radius that holds the error at this level, in spreads.
        scales: of each of the N landmarks, by which its spread is multiplied first.
        confidences: of the annotated landmarks, sorted; at most 1000 of them, evenly taken.
        images: number of annotated images.
        landmarks: number of annotated landmarks in them.
        tta: test-time augmentation, versions of each image that the predictions were averaged over.
        members: networks that the predictions were averaged over.
    """

    quantiles: Mapping[float, float]
    scales: tuple[float, ...]
    confidences: tuple[float, ...]
    images: int
    landmarks: int
    tta: int = 1
    members: int = 1

    def radius(self, spread: ArrayLike, level: float = RADIUS_LEVEL) -> Array:
        """Radius about each predicted landmark that holds the true one at this level.

        Args:
            spread: (..., N) of the heatmaps, in any unit; NaN: absent.
            level: one of those that were calibrated.

        Returns:
            (..., N) in the unit of the spread; NaN: absent.

        Raises:
            ValueError: the level was not calibrated, or N is another.
        """
        if level not in self.quantiles:
            raise ValueError(
                f"level must be among the calibrated {list(self.quantiles)}; got {level}. "
                "Choose one of them, or calibrate with more images."
            )
        values = np.asarray(spread, dtype=np.float64)
        if values.ndim == 0 or values.shape[-1] != len(self.scales):
            raise ValueError(
                f"spread must be (..., {len(self.scales)}), one number per landmark; got {values.shape}. "
                "Pass the spreads of the domain that was calibrated."
            )
        return np.asarray(self.quantiles[level] * np.asarray(self.scales) * values)

    def presence(self, confidence: ArrayLike) -> Array:
        """Conformal p-value of the hypothesis that the landmark is in the image.

        Args:
            confidence: (...) of predictions.

        Returns:
            (...) share of the annotated landmarks whose confidence is at most this one, the new one counted among
            them, (k + 1) / (n + 1): at most a share p of the landmarks that are there has a value of p or less. Small:
            probably absent, or not recognised. NaN where the confidence is.
        """
        values = np.asarray(confidence, dtype=np.float64)
        below = np.searchsorted(np.asarray(self.confidences), values, side="right")
        return np.where(np.isnan(values), np.nan, (below + 1) / (len(self.confidences) + 1))

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it: lists, numbers and text."""
        fields = asdict(self)
        fields["quantiles"] = {f"{level:g}": quantile for level, quantile in self.quantiles.items()}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Calibration:
        """What :meth:`to_dict` wrote, also that of version 0.1.0, which calls the augmentation "views"."""
        fields = {"tta" if name == "views" else name: value for name, value in fields.items()}
        numbers = {float(level): float(quantile) for level, quantile in fields["quantiles"].items()}
        return cls(
            **{
                **fields,
                "quantiles": numbers,
                "scales": tuple(fields["scales"]),
                "confidences": tuple(fields["confidences"]),
            }
        )


def calibrate(
    errors: ArrayLike,
    spreads: ArrayLike,
    confidences: ArrayLike,
    *,
    levels: Sequence[float] = LEVELS,
    tta: int = 1,
    members: int = 1,
) -> Calibration:
    """Calibrate the predictions of one domain by annotated images.

    The score of a landmark is its error over its spread times the landmark's scale; the quantiles of the scores of all
    landmarks of all images are the calibration. A landmark's scale is the median of its scores without it over the
    domain's, shrunk towards 1 where few images bear on it, in the logarithm by n / (n + 20). So that no score is judged
    by a scale that it took part in, its scale is the one that the other images give (cross-conformal prediction).

    Args:
        errors: (images, N) radial errors; NaN: not annotated, inf: not found, which no radius holds.
        spreads: (images, N) of the heatmaps, in the unit of the errors, image by image; NaN: absent.
        confidences: (images, N); NaN counts as 0.
        levels: wanted. One that the landmarks are too few for, or too often not found, is left out.
        tta: see :class:`Calibration`.
        members: likewise.

    Returns:
        The calibration.

    Raises:
        ValueError: the shapes differ, or no landmark is annotated.

    Source: normalised scores: Papadopoulos, Vovk and Gammerman, Regression Conformal Prediction with Nearest
    Neighbours (2011); Vovk, Cross-conformal predictors (2015).
    """
    error, spread, sure = (np.asarray(values, dtype=np.float64) for values in (errors, spreads, confidences))
    if error.ndim != 2 or not error.shape == spread.shape == sure.shape:
        raise ValueError(
            "errors, spreads and confidences must be of one shape (images, N); got "
            f"{error.shape}, {spread.shape} and {sure.shape}. Pass those of the same predictions."
        )
    annotated = ~np.isnan(error)
    if not annotated.any():
        raise ValueError(
            "errors must be of at least one annotated landmark; got none. Calibrate with annotated images."
        )
    ratios = np.where(annotated & (np.isnan(spread) | np.isinf(error)), np.inf, error / spread)
    # one image's others at a time, for together they are as many as the images squared
    scores = np.stack([own / _scales(np.delete(ratios, image, axis=0)) for image, own in enumerate(ratios)])
    quantiles = {level: conformal_quantile(scores, level) for level in levels}
    ordered = np.sort(np.nan_to_num(sure[annotated], nan=0.0))
    if ordered.size > _MOST_CONFIDENCES:
        ordered = ordered[np.linspace(0, ordered.size - 1, _MOST_CONFIDENCES).round().astype(int)]
    return Calibration(
        quantiles={level: quantile for level, quantile in quantiles.items() if math.isfinite(quantile)},
        scales=tuple(_scales(ratios).tolist()),
        confidences=tuple(ordered.tolist()),
        images=int(annotated.any(axis=1).sum()),
        landmarks=int(annotated.sum()),
        tta=tta,
        members=members,
    )


def _scales(ratios: Array) -> Array:
    """Scale of each landmark from (images, N) errors over spreads; 1 where nothing was measured."""
    measured = ~np.isnan(ratios)
    overall = np.median(ratios[measured]) if measured.any() else math.nan
    scales = np.ones(ratios.shape[1])
    for column, annotated in enumerate(measured.T):
        own = np.median(ratios[annotated, column]) if annotated.any() else math.nan
        if np.isfinite(own) and np.isfinite(overall) and own > 0 and overall > 0:
            count = annotated.sum()
            scales[column] = (own / overall) ** (count / (count + _PRIOR_COUNT))
    return scales
