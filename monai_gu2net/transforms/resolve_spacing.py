# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""From the pixels of a file to the millimetres of a patient."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.data.utils import to_affine_nd
from monai.transforms import MapTransform

from monai_gu2net.data.domain import Domain
from monai_gu2net.data.spacing_source import (
    accepts,
    case_spacing,
    check_axes,
    checked_sources,
    checked_spacing,
    points_of,
    reference_length_spacing,
)
from monai_gu2net.landmarks.coordinates import apply_affine
from monai_gu2net.transforms.heatmaps import plain_tensor

__all__ = ["PhysicalSpaced", "ScaleByPredictiond", "file_spacing"]

_PREDICTED = "reference-length of the prediction"


class PhysicalSpaced(MapTransform):
    """Gives the image its physical affine and moves the landmarks from pixels of the file to the world.

    Where spacing comes from is decided by :func:`~monai_gu2net.data.case_spacing`: what is given, the case, its
    domain, the file's own affine, or a reference length between two landmarks; else it stays unknown: the world is then
    the pixel grid and the unit "px". The case's fields ``spacing``, ``patient``, ``annotators``, ``outside``,
    ``doubtful`` and ``file_spacing_source`` are used up; ``unit``, ``spacing_source``, ``file_affine`` (4x4, pixels of
    the file to the world) and ``file_size`` (D, pixels) are added; for a volume also ``file_directions`` (4x4), the
    affine of the file itself, which :class:`~monai_gu2net.transforms.TurnUprightd` uses up.

    Args:
        keys: the image, (C, *spatial) MetaTensor as loaded. Its ``landmarks``, where it has any, are (N, D) points
            in pixels of the file, None for absent ones; afterwards a float64 tensor in the world, NaN for absent ones
            and those outside the frame.
        domains: by name; the sample's ``domain`` picks one.
        spacing: mm per pixel of every image, whatever else says so.
        accept_spacing_source: what a source must begin with, such as "detector"; with another one results are in
            pixels. None: any will do.

    Raises:
        ValueError: the sample's domain is unknown, the image's dimensions or channels are not the domain's, the spacing
            given is no positive number for each axis, or a source to accept is misspelt.
    """

    def __init__(
        self,
        keys: KeysCollection = "image",
        *,
        domains: Mapping[str, Domain],
        spacing: Sequence[float] | None = None,
        accept_spacing_source: Sequence[str] | None = None,
    ) -> None:
        super().__init__(keys)
        self.domains = domains
        self.spacing, self.accepted = checked_spacing(spacing), checked_sources(accept_spacing_source)
        if self.spacing is not None:
            for domain in domains.values():
                check_axes(self.spacing, domain)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        sample = dict(data)
        name = sample["domain"]
        if name not in self.domains:
            raise ValueError(
                f"The domain must be among {list(self.domains)}; got {name!r}. Declare it in the datalist."
            )
        domain = self.domains[name]
        case = {"spacing": sample.pop("spacing", None), "landmarks": sample.get("landmarks")}
        file_source = sample.pop("file_spacing_source", None)
        for used_up in ("patient", "annotators", "outside", "doubtful"):
            sample.pop(used_up, None)
        for key in self.key_iterator(sample):
            image = sample[key]
            dims = domain.dims
            if image.ndim != dims + 1 or image.shape[0] != domain.in_channels:
                raise ValueError(
                    f"Case {sample.get('case')!r}: the image must have {domain.in_channels} channel(s) "
                    f"and {dims} spatial axes, as domain {name!r} has; got {image.shape[0]} channel(s) and the axes "
                    f"{tuple(image.shape[1:])}. Save it so, or declare the domain's in_channels and size as its images "
                    "have them, and train it so."
                )
            file = file_spacing(image, file_source)
            spacing, source = case_spacing(case, domain, file=file, given=self.spacing, accepted=self.accepted)
            affine = world_affine(image, spacing, of_file=file is not None and source == file[1])
            sample[key] = MetaTensor(plain_tensor(torch.as_tensor(image)), affine=affine)
            sample |= {"file_affine": affine.clone(), "file_size": torch.tensor(image.shape[1:])}
            if dims == 3 and isinstance(image, MetaTensor):
                sample["file_directions"] = image.affine
            if sample.get("landmarks") is not None:
                points = torch.as_tensor(points_of(sample["landmarks"], dims))
                sample["landmarks"] = apply_affine(inside_frame(points, image.shape[1:]), affine)
            sample |= {"spacing_source": source, "unit": "px" if spacing is None else "mm"}
        return sample


class ScaleByPredictiond(MapTransform):
    """Millimetres from the landmarks found, where the domain's reference length alone gives the scale.

    It belongs into prediction, after ``HeatmapsToLandmarksd``; in evaluation the reference landmarks decide.
    The sample's ``unit``, ``spacing_source`` ("reference-length of the prediction") and ``file_affine``
    follow; a sample whose spacing is known, or whose two landmarks were not found, stays as it is.

    Args:
        keys: prefix of what ``HeatmapsToLandmarksd`` wrote; ``{key}_landmarks`` are scaled, and ``{key}_spread`` and
            ``{key}_radius`` where they are there.
        domains: by name; the sample's ``domain`` picks one.
        accept_spacing_source: as that of :class:`PhysicalSpaced`; unless it is None or names "reference-length",
            nothing is scaled.
    """

    def __init__(
        self,
        keys: KeysCollection = "pred",
        *,
        domains: Mapping[str, Domain],
        accept_spacing_source: Sequence[str] | None = None,
    ) -> None:
        super().__init__(keys)
        self.domains, self.accepted = domains, checked_sources(accept_spacing_source)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        sample = dict(data)
        domain = self.domains[sample["domain"]]
        if sample["unit"] == "mm" or domain.reference is None or not accepts(_PREDICTED, self.accepted):
            return sample
        for key in self.keys:
            found = torch.as_tensor(sample[f"{key}_landmarks"])
            scale = reference_length_spacing(found.double().cpu().numpy(), domain)
            if scale is not None:
                lengths = [f"{key}_landmarks", f"{key}_spread", f"{key}_radius"]
                sample |= {name: torch.as_tensor(sample[name]) * scale for name in lengths if name in sample}
                affine = sample["file_affine"].clone()
                affine[:-1] *= scale
                sample |= {"file_affine": affine, "unit": "mm"}
                sample["spacing_source"] = _PREDICTED
        return sample


def file_spacing(image: Any, source: str | None = None) -> tuple[tuple[float, ...], str] | None:
    """What the affine of a loaded image says of its spacing.

    Args:
        image: (C, *spatial); only a MetaTensor says anything.
        source: where its reader has the spacing from; by default that of the image's metadata, and else "file" unless
            the affine is the identity but for signs.

    Returns:
        (mm per pixel along each axis, source); None where the file states no spacing.
    """
    if not isinstance(image, MetaTensor):
        return None
    affine = to_affine_nd(3, image.affine.double())
    if source is None:
        plain = torch.equal(affine.abs(), torch.eye(4, dtype=torch.float64))
        source = str(image.meta.get("spacing_source", "none" if plain else "file"))
    lengths = torch.linalg.vector_norm(affine[:-1, : image.ndim - 1], dim=0)
    return None if source == "none" else (tuple(lengths.tolist()), source)


def world_affine(image: Any, spacing: Sequence[float] | None, *, of_file: bool) -> torch.Tensor:
    """From pixels of the file to its world, whose axes have the lengths that were decided on.

    A volume keeps the directions of its axes and its origin, whoever says how long its voxels are; a radiograph whose
    spacing is not that of its file lies in its image plane.

    Args:
        image: (C, *spatial) as loaded; only a MetaTensor says where its axes lead.
        spacing: mm per pixel along each axis; None: unknown, and the world is the pixel grid.
        of_file: the spacing is that of the file's affine.

    Returns:
        (4, 4) float64.
    """
    affine = torch.eye(4, dtype=torch.float64)
    if spacing is None:
        return affine
    dims = len(spacing)
    if isinstance(image, MetaTensor) and (of_file or dims == 3):
        affine = to_affine_nd(3, image.affine.double()).clone()
        if of_file:
            return affine
        affine[:3, :3] /= torch.linalg.vector_norm(affine[:3, :3], dim=0)
    affine[:3, :dims] *= torch.tensor(spacing, dtype=torch.float64)
    return affine


def inside_frame(
    points: torch.Tensor, spatial_size: torch.Size | tuple[int, ...], *, tolerance: float = 0.0
) -> torch.Tensor:
    """The points with those outside the frame made NaN; it ends at its pixels' outer edges, but for a tolerance."""
    size = torch.as_tensor(spatial_size, dtype=points.dtype, device=points.device)
    inside = (points >= -0.5 - tolerance) & (points <= size - 0.5 + tolerance)
    outside = ~inside.all(dim=-1, keepdim=True)
    return points.masked_fill(outside, torch.nan)
