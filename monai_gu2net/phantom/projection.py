# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""From bodies to an 8-bit radiograph: Beer-Lambert, scatter, blur, quantum noise, display."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from monai_gu2net.phantom.solids import Body, Floats, shadow

__all__ = ["Technique", "blurred", "develop", "line_integrals"]


@dataclass(frozen=True)
class Technique:
    """How a radiograph is taken.

    Args:
        photons: photons a pixel receives at the median of the body's shadow; inf for no noise.
        scatter: scattered over primary radiation inside the body, spread over `scatter_px`.
        scatter_px: standard deviation of the scatter in pixels.
        blur_px: standard deviation of focus and detector blur in pixels.
        texture: relative standard deviation of the fine structure of the tissues.
        gamma: exponent of the display curve, 1 for linear in the attenuation.
    """

    photons: float = np.inf
    scatter: float = 0.0
    scatter_px: float = 20.0
    blur_px: float = 0.0
    texture: float = 0.0
    gamma: float = 1.0

    @classmethod
    def draw(cls, rng: np.random.Generator, *, gamma: float) -> Technique:
        """A random technique around a display curve."""
        return cls(
            photons=float(np.exp(rng.uniform(np.log(400), np.log(4000)))),
            scatter=rng.uniform(0.05, 0.35),
            scatter_px=rng.uniform(10, 25),
            blur_px=rng.uniform(0.4, 0.9),
            texture=rng.uniform(0.01, 0.04),
            gamma=gamma * rng.uniform(0.85, 1.2),
        )


def line_integrals(bodies: Sequence[Body], x: Floats, y: Floats) -> Floats:
    """Attenuation along the ray to each pixel centre.

    Args:
        bodies: what the rays pass through.
        x: (X,) ascending positions of the pixel centres in mm.
        y: (Y,) ascending positions of the pixel centres in mm.

    Returns:
        (X, Y) sums over the bodies of attenuation times length, without unit.
    """
    total = np.zeros((len(x), len(y)))
    for body in bodies:
        columns, rows = seen = shadow(body, x, y)
        if total[seen].size:
            total[seen] += body.attenuation * body.path_lengths(x[columns], y[rows])
    return total


def develop(
    integrals: Floats, rng: np.random.Generator, *, technique: Technique, shutter: Floats | None = None
) -> npt.NDArray[np.uint8]:
    """Expose the detector and turn its signal into an image in which bone is bright.

    Args:
        integrals: (X, Y) attenuation along each ray.
        rng: source of texture and noise.
        technique: how it is taken.
        shutter: (X, Y) share of the beam that the collimator lets through, None for all.

    Returns:
        (X, Y) 8-bit grey values, the darkest and brightest percent of the exposed field clipped.
    """
    if technique.texture:
        grain = blurred(rng.standard_normal(integrals.shape), 1.5)
        integrals = integrals * (1 + technique.texture * grain / grain.std())
    open_beam = np.ones_like(integrals) if shutter is None else shutter
    primary = open_beam * np.exp(-np.maximum(integrals, 0))
    # Scatter starts in matter: none where the beam is open.
    scattered = blurred(primary * np.clip(integrals, 0, 1), technique.scatter_px)
    signal = blurred(primary, technique.blur_px) + technique.scatter * scattered
    exposed = open_beam > 0.9
    if np.isfinite(technique.photons):
        shadow = exposed & (integrals > 0)
        per_photon = float(np.median(signal[shadow if shadow.any() else exposed])) / technique.photons
        # A pixel without a photon counts as half of one, which has a logarithm.
        counts = np.maximum(rng.poisson(signal / per_photon), 0.5)
        signal = np.asarray(counts * per_photon, dtype=np.float64)
    attenuation = -np.log(signal)
    darkest, brightest = np.percentile(attenuation[exposed], [1, 99])
    span = max(float(brightest - darkest), 1e-9)
    grey = np.clip((attenuation - darkest) / span, 0, 1) ** technique.gamma
    return np.asarray(np.rint(255 * grey), dtype=np.uint8)


def blurred(image: Floats, sigma_px: float) -> Floats:
    """Gaussian blur with the image's mean level kept at its borders, as one product with a small matrix per axis."""
    if sigma_px == 0:
        return image
    for _ in range(image.ndim):
        distance = np.subtract.outer(np.arange(len(image)), np.arange(len(image)))
        kernel = np.exp(-0.5 * (distance / sigma_px) ** 2)
        image = np.moveaxis(np.tensordot(kernel / kernel.sum(axis=1, keepdims=True), image, axes=1), 0, -1)
    return image
