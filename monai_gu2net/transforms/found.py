# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The landmarks found in one image, in every frame that a result is given in."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from monai_gu2net.data.domain import Domain
from monai_gu2net.landmarks import LandmarkSet
from monai_gu2net.landmarks.coordinates import apply_affine, spatial_affine, world_to_lps
from monai_gu2net.landmarks.shape import pose_of
from monai_gu2net.measurements import Measured, measure
from monai_gu2net.uncertainty import pixels_per_unit

__all__ = ["Found", "points_in_file", "spacing_in_file"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class Found:
    """The landmarks found in one image. All results take their numbers from here.

    Args:
        case: name of the case.
        domain: of the image; it names the landmarks.
        points: (N, D) in ``unit``; NaN rows are absent. Where the scale is known that is mm in the world of the image
            file: of a radiograph the image plane, from the centre of the first pixel, x to the right and y down; of a
            volume RAS. Else it is pixels of the file, the same as ``points_index``.
        points_index: (N, D) in pixels of the image file, whole numbers at their centres, the first one's 0.
        unit: of ``points``, ``radius`` and ``spread``: "mm", or "px" of the file where the scale is not known.
        spacing_source: where the scale comes from, see :func:`~monai_gu2net.data.case_spacing`; "none".
        affine: (4, 4) pixels of the file to the world; the identity where the scale is not known.
        confidence: (N,) from 0 to 1.
        size: D lengths of the image file in pixels; empty where not known.
        spread: (N,) how widely each heatmap lies about its landmark, in ``unit``; None: not measured.
        radius: (N,) in ``unit``, holds the landmark at 90 percent; None: the model is not calibrated.
        presence: (N,) p-value of the landmark being in the image; None: the model is not calibrated.
        orientation: what was done to, or is odd about, the way the image lies, in words; empty: nothing.
        polarity: whether the image was inverted to be recognised, in words; empty: it was not.
        domain_doubt: what speaks against the domain, in words, see :class:`~monai_gu2net.transforms.TellDomaind`;
            empty: nothing.
        image_file: path of the image; None: not known.
        image: (1, X, Y) its first channel as the file has it, of a radiograph to be drawn; None: not kept, as
            that of a volume, which is large.
    """

    case: str
    domain: Domain
    points: Array
    points_index: Array
    unit: str
    spacing_source: str
    affine: torch.Tensor
    confidence: Array
    size: tuple[int, ...] = ()
    spread: Array | None = None
    radius: Array | None = None
    presence: Array | None = None
    orientation: str = ""
    polarity: str = ""
    domain_doubt: str = ""
    image_file: str | None = None
    image: torch.Tensor | None = None

    @classmethod
    def of_sample(cls, sample: Mapping[Hashable, Any], domain: Domain, key: str = "pred") -> Found:
        """What a sample says after ``HeatmapsToLandmarksd``, whose spacing ``PhysicalSpaced`` resolved.

        Args:
            sample: with ``{key}_landmarks``, ``{key}_confidence``, ``file_affine``, ``unit``, ``spacing_source`` and,
                where they are there, ``{key}_spread``, ``{key}_radius``, ``{key}_presence``, ``case``, ``file_size``,
                ``orientation``, ``polarity``, ``domain_doubt``, ``image_file`` and ``file_image``.
            domain: of the sample.
            key: prefix of what was found.
        """
        world = torch.as_tensor(sample[f"{key}_landmarks"]).cpu().double()
        affine = torch.as_tensor(sample["file_affine"]).cpu().double()
        optional = {
            what: _numbers(sample[f"{key}_{what}"])
            for what in ("spread", "radius", "presence")
            if sample.get(f"{key}_{what}") is not None
        }
        return cls(
            case=str(sample.get("case", "")),
            domain=domain,
            points=world.numpy(),
            points_index=points_in_file(world, affine),
            unit=sample["unit"],
            spacing_source=str(sample["spacing_source"]),
            affine=affine,
            confidence=_numbers(sample[f"{key}_confidence"]),
            size=tuple(int(length) for length in sample.get("file_size", ())),
            orientation=sample.get("orientation") or _pose_in_words(world.numpy(), domain),
            polarity=sample.get("polarity", ""),
            domain_doubt=sample.get("domain_doubt", ""),
            image_file=sample.get("image_file"),
            image=sample.get("file_image"),
            **optional,
        )

    def __repr__(self) -> str:
        present = int(np.isfinite(self.points).all(axis=-1).sum())
        return (
            f"Found({self.case!r}, {present} of {len(self.names)} landmarks of {self.domain.name!r}, "
            f"unit={self.unit!r}, spacing_source={self.spacing_source!r})"
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Of the N landmarks."""
        return self.domain.landmarks

    @property
    def dims(self) -> int:
        """D, the image's spatial axes."""
        return self.points.shape[-1]

    @property
    def points_mm(self) -> Array | None:
        """``points`` where they are in mm, else None."""
        return self.points if self.unit == "mm" else None

    @property
    def spacing(self) -> tuple[float, ...]:
        """D lengths of a pixel of the file in ``unit``."""
        return tuple(spacing_in_file(self.affine)[: self.dims].tolist())

    @property
    def landmarks(self) -> LandmarkSet:
        """The landmarks in pixels of the file."""
        return LandmarkSet(self.names, self.points_index, "index")

    @property
    def lps(self) -> Array:
        """(N, D) ``points`` as Slicer and DICOM count: to the left, to the back, upwards."""
        return np.asarray(world_to_lps(torch.from_numpy(self.points)))

    @property
    def radius_px(self) -> Array | None:
        """(N,) ``radius`` in pixels of the file; where they are not square, in the geometric mean of the axes."""
        return None if self.radius is None else self.radius * pixels_per_unit(self.affine, self.dims)

    @property
    def radius_index(self) -> Array | None:
        """(N, D) half axes in pixels of the file of the ellipse or ellipsoid that ``radius`` is there."""
        return None if self.radius is None else self.radius[:, None] / np.asarray(self.spacing)

    @property
    def said(self) -> dict[str, str]:
        """What there is to say of the image beside its landmarks, by its topic."""
        said = {"orientation": self.orientation, "polarity": self.polarity, "domain_doubt": self.domain_doubt}
        return {topic: words for topic, words in said.items() if words}

    def measured(self) -> list[Measured]:
        """The domain's measurements between the landmarks, in ``unit``, with errors where there are radii."""
        return list(self._measured)

    @cached_property
    def _measured(self) -> list[Measured]:
        landmarks = LandmarkSet(self.names, self.points, "mm") if self.unit == "mm" else self.landmarks
        wanted = self.domain.all_measurements
        return measure(wanted, landmarks, unit="mm" if self.unit == "mm" else "px", radius=self.radius)

    def to_dict(self, *, model: Mapping[str, str] | str) -> dict[str, Any]:
        """Plain numbers and words for JSON, of which the absent ones are None.

        Args:
            model: name and version of what found the landmarks.

        Returns:
            ``{"landmarks": [...], "unit", "spacing_source", "domain", "model"}``, and ``orientation``, ``polarity`` and
            ``domain_doubt`` where there is something to say. A landmark has ``name``, ``index``, ``x`` and ``y`` (``z``
            in a volume) in pixels of the image file, ``confidence`` and, where the scale is known, ``lps``: three
            numbers in mm, for a radiograph (x*sx, y*sy, 0), which is where Slicer shows an image without patient
            geometry. A calibrated model adds ``radius_90`` (pixels of the file), ``radius_90_mm`` where the scale is
            known, and ``presence``.
        """
        columns = {
            "confidence": self.confidence,
            "radius_90": self.radius_px,
            "radius_90_mm": self.radius if self.unit == "mm" else None,
            "presence": self.presence,
        }
        landmarks: list[dict[str, Any]] = []
        for index, name in enumerate(self.names):
            found: dict[str, Any] = {"name": name, "index": index}
            found |= dict(zip("xyz", map(_number, self.points_index[index]), strict=False))
            if self.unit == "mm":
                absent = np.isnan(self.points[index]).any()
                found["lps"] = None if absent else self.lps[index].tolist() + [0.0] * (3 - self.dims)
            found |= {column: _number(values[index]) for column, values in columns.items() if values is not None}
            landmarks.append(found)
        content = {
            "landmarks": landmarks,
            "unit": self.unit,
            "spacing_source": self.spacing_source,
            "domain": self.domain.name,
            "model": model,
        }
        return content | self.said


def points_in_file(world: Any, file_affine: torch.Tensor) -> Array:
    """Points of an image's world in pixels of its file: the one place where a result goes back to the file.

    Args:
        world: (N, D); NaN stays NaN.
        file_affine: (4, 4) pixels of the file to the world, as ``PhysicalSpaced`` resolved it.

    Returns:
        (N, D).
    """
    points = torch.as_tensor(world).cpu().double()
    return apply_affine(points, torch.linalg.inv(spatial_affine(file_affine, points.shape[-1]))).numpy()


def spacing_in_file(file_affine: torch.Tensor) -> Array:
    """(3,) lengths of a pixel of the file in the world; a turned or mirrored affine keeps the lengths of its axes."""
    return torch.linalg.vector_norm(file_affine[:-1, :3].cpu().double(), dim=0).numpy()


def _pose_in_words(points: Array, domain: Domain) -> str:
    """How landmarks in mm lie towards their domain's mean shape; empty: it has none."""
    if domain.mean_shape is None:
        return ""
    pose = pose_of(points, domain.mean_shape)
    if pose is None:
        return "too few landmarks were found to tell the pose"
    fits = f"half of the landmarks fit it to {pose.residual:.2g} mm"
    return f"turned by {pose.degrees:.0f} degrees from the mean shape; {fits}"


def _numbers(values: Any) -> Array:
    return np.asarray(torch.as_tensor(values).cpu(), dtype=np.float64)


def _number(value: float) -> float | None:
    """JSON has no NaN and no infinity."""
    return float(value) if math.isfinite(value) else None
