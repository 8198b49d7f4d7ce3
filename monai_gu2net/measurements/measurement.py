# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What is measured between landmarks, and how sure the result is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from monai_gu2net.landmarks import LandmarkSet
from monai_gu2net.measurements.geometry import KINDS, Points, side_of

__all__ = ["Code", "Measured", "Measurement", "measure", "standard_deviation"]

Code = tuple[str, str, str]
"""Value, scheme and meaning of a term of a coding scheme."""

# Radius that holds 90 % of an isotropic normal distribution with standard deviation 1, by number of axes: the root of
# the 0.9 quantile of chi-squared, which in the plane is sqrt(2 ln 10).
_RADIUS_90 = {2: math.sqrt(2 * math.log(10)), 3: 2.5002777108094353}
_STEP = 1e-6  # of the central differences, as a share of the landmarks' extent
_KINK = 0.1  # how much the slopes ahead and behind may differ, as a share of the steepest


@dataclass(frozen=True)
class Measurement:
    """A measurement as it is declared.

    The kinds, with their landmarks:

    - ``distance`` (a, b): from a to b.
    - ``angle`` (a, b, c): at b between a and c, 0 to 180 degrees.
    - ``line_angle`` (a, b, c, d): between the directions a to b and c to d, 0 to 180 degrees.
    - ``signed_angle`` (a, b, c, d): the same, negative where the turn from a-b to c-d goes away from the side; of
      pictures alone.
    - ``signed_distance`` (p, a, b): of p from the line through a and b, signed by the side; of pictures alone.
    - ``line_distance`` (p, a, b): of p from the line through a and b, never negative.
    - ``plane_distance`` (x, p, q, r): of x from the plane through p, q and r, never negative; of volumes alone.
    - ``line_plane_angle`` (a, b, p, q, r): of the line through a and b with the plane through p, q and r, 0 (parallel)
      to 90 degrees (upright); of volumes alone.
    - ``plane_angle`` (p, q, r, s, t, u): between the planes through p, q and r and through s, t and u, 0 to 90 degrees;
      of volumes alone.
    - ``projected_distance`` (a, b, c, d): how far b lies ahead of a in the direction c to d.
    - ``directed_distance`` (a, b, c, d): from a to b, negative where b lies behind a in the direction c to d.
    - ``ratio`` (a, b, c, d): distance from a to b over distance from c to d.
    - ``ellipse_perimeter`` (a, b, c, d): of the ellipse whose axes are as long as a to b and c to d, wherever they lie.
    - ``sum`` (none): of other measurements of one unit, each with its factor.

    Signs follow the anatomy, not the picture: a landmark says which side of the line a-b is positive (or negative), so
    that a mirrored picture gives the same value. In space a line has no sides, and what has to do with planes has no
    sign. Three points on a line make no plane, and there is no value.

    Args:
        name: what it is called in tables.
        kind: among those above.
        landmarks: their names, in the order above.
        positive: of a signed kind: a landmark on the positive side of the line a-b.
        negative: of a signed kind, instead: a landmark on its negative side.
        terms: of a sum: pairs of factor and measurement.
        source: where the definition comes from.
        code: of a standard that has a term for just this, else None.

    Raises:
        ValueError: the name is not one line; the kind is not known, or has not the landmarks, side or terms it needs;
            or a line or a plane has a landmark twice.

    Example:
        >>> sna = Measurement("SNA", "angle", ("sella", "nasion", "subspinale"))
        >>> sna.unit("mm")
        'deg'
    """

    name: str
    kind: str
    landmarks: tuple[str, ...] = ()
    positive: str | None = None
    negative: str | None = None
    terms: tuple[tuple[float, Measurement], ...] = ()
    source: str = ""
    code: Code | None = None

    def __post_init__(self) -> None:
        where = f"Measurement {self.name!r}"
        if not isinstance(self.name, str) or not self.name.strip():
            raise ValueError(f"A measurement must have a name; got {self.name!r}. Name it.")
        if self.name.splitlines() != [self.name]:
            raise ValueError(f"{where}: the name must be one line; got {self.name!r}. Take the line break out.")
        if self.kind == "sum":
            if not self.terms or self.landmarks or any(not math.isfinite(factor) for factor, _ in self.terms):
                raise ValueError(
                    f"{where}: a sum must have terms with finite factors and no landmarks; got "
                    f"{[factor for factor, _ in self.terms]} and {list(self.landmarks)}. Correct it."
                )
            units = sorted({term.unit("mm") for _, term in self.terms})
            if len(units) > 1:
                raise ValueError(f"{where}: the terms of a sum must have one unit; got {units}. Add like to like.")
            return
        if self.kind not in KINDS:
            raise ValueError(f"{where}: kind must be among {[*KINDS, 'sum']}; got {self.kind!r}. Choose one.")
        kind = KINDS[self.kind]
        if len(self.landmarks) != kind.count or not all(isinstance(name, str) and name for name in self.landmarks):
            raise ValueError(
                f"{where}: a measurement of kind {self.kind!r} must have {kind.count} landmarks; got "
                f"{list(self.landmarks)}. Correct it."
            )
        first = self.landmarks[: kind.parts[0]], self.landmarks[kind.parts[0] :]
        if any(len(set(part)) < len(part) for part in first):
            what = "a line must run between" if kind.dims != 3 else "lines and planes must be of"
            raise ValueError(f"{where}: {what} different landmarks; got {list(self.landmarks)}. Correct it.")
        if self.terms:
            raise ValueError(f"{where}: only a sum may have terms; got kind {self.kind!r}. Take them out.")
        if ((self.positive is None) != (self.negative is None)) != kind.signed:
            rule = "have either positive or negative" if kind.signed else "have neither positive nor negative"
            raise ValueError(
                f"{where}: a measurement of kind {self.kind!r} must {rule}; got positive={self.positive!r}, "
                f"negative={self.negative!r}. Name one landmark on that side of the line, or none."
            )

    @property
    def needs(self) -> tuple[str, ...]:
        """Names of all landmarks that take part, each once."""
        names = [*self.landmarks, *(name for name in (self.positive, self.negative) if name is not None)]
        names += [name for _, term in self.terms for name in term.needs]
        return tuple(dict.fromkeys(names))

    def unit(self, length: Literal["mm", "px"]) -> str:
        """``"deg"``, ``"1"`` (a pure number), or the unit of lengths given."""
        return self.terms[0][1].unit(length) if self.terms else KINDS[self.kind].unit or length

    @property
    def dims(self) -> tuple[Literal[2, 3], ...]:
        """Coordinates of the points that it can be of."""
        every: tuple[Literal[2, 3], ...] = (2, 3)
        if self.terms:
            return tuple(each for each in every if all(each in term.dims for _, term in self.terms))
        only = KINDS[self.kind].dims
        return every if only is None else (only,)

    def value(self, points: Points, *, beside: Points | None = None) -> NDArray[np.float64]:
        """The value for points (..., D) by name, (...); NaN where it is not defined: points coincide or are absent.

        Args:
            points: by name.
            beside: points (D) that the others lie close about. A value that has no sign is then one that has, which
                crosses zero (or 90 degrees, between planes) without a kink and is not negative at these points.
        """
        if self.terms:
            return np.asarray(sum(factor * term.value(points, beside=beside) for factor, term in self.terms))
        kind = KINDS[self.kind]
        value = kind.value(*(points[name] for name in self.landmarks))
        if kind.fold is not None:
            at = value if beside is None else kind.value(*(beside[name] for name in self.landmarks))
            return kind.fold(value, at)
        if not kind.signed:
            return value
        first, second = self.landmarks[-2:] if self.kind == "signed_distance" else self.landmarks[:2]
        mark, sign = (self.negative, -1) if self.positive is None else (self.positive, 1)
        return np.asarray(sign * value * side_of(points[first], points[second], points[str(mark)]))

    def settled(self, points: Points) -> Measurement:
        """The measurement with all choices made that depend on the points; here there are none."""
        return self


@dataclass(frozen=True)
class Measured:
    """What a measurement gave for one image.

    Args:
        name: of the measurement.
        value: in ``unit``; NaN where a landmark is absent or points coincide.
        unit: "deg", "mm", "px" of the image file, or "1" for a pure number.
        error: standard error in ``unit``; NaN where it is not known.
        kind: of the measurement.
        code: a standard's term for it, or None.
        source: where the definition comes from.
        landmarks: names of those that took part.
    """

    name: str
    value: float
    unit: str
    error: float
    kind: str
    code: Code | None
    source: str
    landmarks: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Name, value, error, unit, kind and source for JSON; null where a number is not known."""
        value, error = (number if math.isfinite(number) else None for number in (self.value, self.error))
        return {
            "name": self.name,
            "value": value,
            "error": error,
            "unit": self.unit,
            "kind": self.kind,
            "source": self.source,
        }


def measure(
    measurements: Sequence[Measurement],
    landmarks: LandmarkSet,
    *,
    unit: Literal["mm", "px"],
    radius: ArrayLike | None = None,
) -> list[Measured]:
    """Measure one image's landmarks.

    The standard error is first order (delta method): with J the derivatives of the value by the landmarks'
    coordinates, error^2 = sum of (J_k sigma_k)^2. It takes the landmarks to be independent, and each to be spread about
    its place as an isotropic normal distribution whose 90 % radius is the given one, see :func:`standard_deviation`. It
    knows nothing of a model's bias, of the scale's error, or of landmarks that err together. NaN where the value has a
    kink, as an angle has at 0 and at 180 degrees and a distance at 0, for there it has no derivatives.

    Without a known scale lengths are pixels, and angles and ratios take pixels to be square.

    Args:
        measurements: what to measure.
        landmarks: in mm if unit is "mm", else in pixel indices. A name that is not there is an absent landmark.
        unit: of lengths.
        radius: (N,) about each landmark, in the same unit, that hold it at 90 %; NaN or inf: not known.

    Returns:
        One result per measurement, in order. NaN, never a number, where a landmark is absent.

    Raises:
        ValueError: the landmarks' frame is not that of the unit, or radius has another shape or a negative number.

    Example:
        >>> landmarks = LandmarkSet(("a", "b"), [[0.0, 0.0], [3.0, 4.0]], "mm")
        >>> measure([Measurement("width", "distance", ("a", "b"))], landmarks, unit="mm")[0].value
        5.0
    """
    frame = {"mm": "mm", "px": "index"}.get(unit)
    if landmarks.frame != frame:
        raise ValueError(
            f"landmarks must be in mm for unit 'mm' and in pixel indices for 'px'; got frame {landmarks.frame!r} and "
            f"unit {unit!r}. Convert them with to_mm, where the spacing is known."
        )
    sigma = np.full(len(landmarks.names), np.nan)
    if radius is not None:
        sigma = standard_deviation(radius, landmarks.dims)
        if sigma.shape != (len(landmarks.names),):
            raise ValueError(
                f"radius must have shape ({len(landmarks.names)},), a number per landmark; got {sigma.shape}. "
                "Give NaN where it is not known."
            )
    absent = np.full(landmarks.dims, np.nan)
    sigmas = dict(zip(landmarks.names, sigma.tolist(), strict=True))
    points = dict(zip(landmarks.names, landmarks.points, strict=True))
    results = []
    for measurement in measurements:
        needed = {name: points.get(name, absent) for name in measurement.needs}
        settled = measurement.settled(needed)
        value = float(settled.value(needed))
        results.append(
            Measured(
                name=measurement.name,
                value=value,
                unit=measurement.unit(unit),
                error=math.nan if radius is None or math.isnan(value) else _error(settled, needed, sigmas),
                kind=measurement.kind,
                code=measurement.code,
                source=measurement.source,
                landmarks=settled.needs,
            )
        )
    return results


def standard_deviation(radius: ArrayLike, dims: int = 2) -> np.ndarray:
    """Standard deviation along each axis of an isotropic normal distribution of which the radius holds 90 %.

    In the plane a normal distribution lies beyond r with probability exp(-r^2 / (2 sigma^2)), so that
    sigma = r / sqrt(2 ln 10).

    Args:
        radius: (...) radii; NaN or inf: not known.
        dims: 2 or 3.

    Returns:
        (...) standard deviations in the radii's unit; NaN: not known.

    Raises:
        ValueError: a radius is negative.

    Example:
        >>> float(standard_deviation(2.1459660262893472))
        1.0
    """
    radii = np.asarray(radius, dtype=np.float64)
    if (radii < 0).any():
        raise ValueError(f"radius must not be negative; got {float(np.nanmin(radii))}. Give NaN where it is not known.")
    return np.where(np.isfinite(radii), radii, np.nan) / _RADIUS_90[dims]


def _error(measurement: Measurement, points: Points, sigmas: Mapping[str, float]) -> float:
    """Standard error by central differences."""
    names = measurement.needs
    places = np.stack([points[name] for name in names])
    extent = float(np.ptp(places, axis=0).max())
    if extent == 0:
        return math.nan
    # one coordinate moved at a time: (2, NxD, N, D)
    moves = _STEP * extent * np.eye(places.size).reshape(-1, *places.shape)
    moved = np.stack([places + moves, places - moves])
    ends = measurement.value({name: moved[:, :, index] for index, name in enumerate(names)}, beside=points)
    ahead, behind = (ends - measurement.value(points, beside=points)) * [[1], [-1]] / (_STEP * extent)
    if np.abs(ahead - behind).max() > max(_KINK * np.abs([ahead, behind]).max(), _STEP):
        return math.nan
    gradients = ((ends[0] - ends[1]) / (2 * _STEP * extent)).reshape(places.shape)
    variance = 0.0
    for name, gradient in zip(names, gradients.tolist(), strict=True):
        if any(gradient):  # a landmark that only decides the side adds nothing, whatever its radius; NaN counts
            variance += math.fsum(slope**2 for slope in gradient) * sigmas.get(name, math.nan) ** 2
    return math.sqrt(variance)
