# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What the images of a domain look like, so that one of another kind is noticed."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["FEWEST", "Appearance", "fit_appearance", "most_like"]

FEWEST = 4
"""Images that an appearance is made of at least."""

_AXES = 12  # along which the images of a domain differ most
_FOLDS = 5
_SMALLEST = 0.05  # deviation of a feature, below which it is a matter of the few images
_LIMIT = 2.326  # standard deviations of the logarithm of the distance: one image in a hundred lies beyond
_STORED = np.dtype("<f2")

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Appearance:
    """A Gaussian about the features of a domain's images.

    Its covariance is free along the few axes on which the images differ most, and one number on all others.

    Args:
        mean: (D,) of the features.
        deviation: (D,) by which each is divided first.
        axes: (K, D) orthonormal, of the divided features.
        variances: (K,) along them.
        rest: variance along any other.
        limit: the distance that 99 of 100 images of the domain stay below.
        images: that it was made of.

    Source: Tipping and Bishop, Journal of the Royal Statistical Society B 61 (1999) 611, for the covariance.
    """

    mean: Array
    deviation: Array
    axes: Array
    variances: Array
    rest: float
    limit: float
    images: int

    def distances(self, features: ArrayLike) -> Array:
        """Mahalanobis distance over the root of the number of features, 1 for a usual image of the domain.

        Args:
            features: (..., D).

        Returns:
            (...).
        """
        divided = (np.asarray(features, dtype=np.float64) - self.mean) / self.deviation
        along = divided @ self.axes.T
        beside = np.maximum((divided**2).sum(-1) - (along**2).sum(-1), 0.0)
        return np.asarray(np.sqrt(((along**2 / self.variances).sum(-1) + beside / self.rest) / len(self.mean)))

    def scores(self, features: ArrayLike) -> Array:
        """(...) distances over the limit: above 1, the image is none of the domain's."""
        return self.distances(features) / self.limit

    def log_likelihoods(self, features: ArrayLike) -> Array:
        """(...) logarithms of the density, but for a constant that all appearances share."""
        others = len(self.mean) - len(self.variances)
        volume = np.log(self.deviation).sum() + np.log(self.variances).sum() / 2 + others * math.log(self.rest) / 2
        return -len(self.mean) * self.distances(features) ** 2 / 2 - volume

    def to_dict(self) -> dict[str, Any]:
        """Its JSON form: numbers of half precision as base64, for there are a thousand."""
        arrays = {name: getattr(self, name) for name in ("mean", "deviation", "axes", "variances")}
        packed = {name: base64.b64encode(array.astype(_STORED).tobytes()).decode() for name, array in arrays.items()}
        return {**packed, "rest": self.rest, "limit": self.limit, "images": self.images}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Appearance:
        """From its JSON form.

        Raises:
            ValueError: it is none.
        """
        try:
            mean, deviation, axes, variances = (
                np.frombuffer(base64.b64decode(fields[name]), dtype=_STORED).astype(np.float64)
                for name in ("mean", "deviation", "axes", "variances")
            )
            rest, limit, images = float(fields["rest"]), float(fields["limit"]), int(fields["images"])
            read = cls(mean, deviation, axes.reshape(-1, len(mean)), variances, rest, limit, images)
            numbers = np.concatenate([mean, deviation, axes, variances, [rest, limit]])
            positive = [*deviation, *variances, rest, limit]
            if not np.isfinite(numbers).all() or min(positive) <= 0 or len(deviation) != len(mean):
                raise ValueError("a number that is none, or a length that is none")
            if len(read.axes) != len(variances):
                raise ValueError(f"{len(read.axes)} axes and {len(variances)} variances")
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"A domain's appearance must be as fit_appearance makes it; got {type(error).__name__}: {error}. The "
                "file is damaged or was edited."
            ) from error
        return read


def fit_appearance(features: ArrayLike, images: Sequence[Any], *, weights: ArrayLike = 1.0) -> Appearance:
    """The appearance of a domain, whose limit is what images that took no part say of the fit to the others.

    Args:
        features: (n, D) of the images and of changed versions of them.
        images: (n,) which image, or patient, each line is of; those of one are kept together.
        weights: (D,) or one number: how much each feature counts.

    Returns:
        The appearance.

    Raises:
        ValueError: there are fewer than `FEWEST` images.
    """
    lines, of = np.asarray(features, dtype=np.float64), np.unique(np.asarray(images), return_inverse=True)[1]
    count = int(of.max(initial=-1)) + 1
    if count < FEWEST:
        raise ValueError(f"An appearance must be made of at least {FEWEST} images; got {count}. Give more of them.")
    factors = np.broadcast_to(np.asarray(weights, dtype=np.float64), lines.shape[1:])
    folds = of % _FOLDS if count >= 2 * _FOLDS else of
    distances = np.empty(len(lines))
    for fold in np.unique(folds):
        kept_out = folds == fold
        distances[kept_out] = _fitted(lines[~kept_out], factors, count).distances(lines[kept_out])
    # of images that took no part the mean square is to be 1
    size = float((distances**2).mean())
    logarithms = np.log(distances / math.sqrt(size))
    limit = math.exp(logarithms.mean() + _LIMIT * logarithms.std(ddof=1) * math.sqrt(1 + 1 / count))
    made = _fitted(lines, factors, count)
    made = replace(made, variances=made.variances * size, rest=made.rest * size, limit=limit)
    return Appearance.from_dict(made.to_dict())  # as it will be read, so that it says the same before and after


def most_like(appearances: Mapping[str, Appearance], features: ArrayLike) -> tuple[str, dict[str, float]]:
    """Which domain an image looks most like.

    Args:
        appearances: by domain; at least one.
        features: (D,) of the image.

    Returns:
        The likeliest of the domains with a score of at most 1, or where there is none that of the lowest score; and
        the scores of all.
    """
    scores = {name: float(each.scores(features)) for name, each in appearances.items()}
    fitting = [name for name, score in scores.items() if score <= 1]
    if not fitting:
        return min(scores, key=lambda name: scores[name]), scores
    return max(fitting, key=lambda name: float(appearances[name].log_likelihoods(features))), scores


def _fitted(lines: Array, weights: Array, images: int) -> Appearance:
    """The Gaussian of some lines, without a limit."""
    mean = lines.mean(axis=0)
    deviation = np.hypot(lines.std(axis=0), _SMALLEST) / weights
    _, sizes, axes = np.linalg.svd((lines - mean) / deviation, full_matrices=False)
    variances = sizes**2 / max(len(lines) - 1, 1)
    count = min(_AXES, images // 3, len(variances) - 1)
    rest = max(float(variances[count:].sum()) / (lines.shape[1] - count), 1e-6)
    return Appearance(mean, deviation, axes[:count], np.maximum(variances[:count], rest), rest, 1.0, images)
