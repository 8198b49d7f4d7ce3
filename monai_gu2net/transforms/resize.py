# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The image at its domain's input size, or spacing."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.data.utils import zoom_affine
from monai.networks.layers.convutils import gaussian_1d
from monai.transforms import MapTransform, Resize, SpatialPad, SpatialResample
from monai.utils import convert_to_dst_type
from torch.nn import functional

from monai_gu2net.data.domain import Domain
from monai_gu2net.landmarks.coordinates import spatial_affine
from monai_gu2net.transforms.beyond import beyond_border
from monai_gu2net.transforms.heatmaps import plain_tensor

__all__ = ["FitToDomaind"]

HALF = 1e-4  # voxels


class FitToDomaind(MapTransform):
    """Resizes the image to its domain's input size, keeping its aspect, and pads the rest with zeros.

    Where the domain has a target spacing, the image is brought to that instead, and padded where it is smaller than the
    input size; one that is larger stays so, and is seen in windows. A volume is padded with its lowest value, which is
    air in most modalities.

    The affine follows. An image that shrinks is smoothed first, so that fine structure does not alias, and
    then interpolated linearly, as by MONAI's ``Resize`` with ``anti_aliasing``. (MONAI's ``mode="area"`` averages over
    windows that are not centred where the factor is no whole number: up to 0.4 px beside the affine.)

    Args:
        keys: the image, (C, *spatial) MetaTensor.
        domains: by name; the sample's ``domain`` picks one.

    Raises (when called):
        ValueError: the domain has a target spacing, and the image's own is not known (``unit`` is "px").
    """

    def __init__(self, keys: KeysCollection = "image", *, domains: Mapping[str, Domain]) -> None:
        super().__init__(keys)
        self.domains = domains

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        sample = dict(data)
        domain = self.domains[sample["domain"]]
        if domain.target_spacing is not None and sample.get("unit") == "px":
            raise ValueError(
                f"Case {sample.get('case')!r}: the spacing of the image must be known, for domain {domain.name!r} is "
                f"seen at {' x '.join(f'{length:g}' for length in domain.target_spacing)} mm; got an image that states "
                "none. Give it in the datalist or for all images (--spacing)."
            )
        for key in self.key_iterator(sample):
            image = sample[key]
            if domain.target_spacing is None:
                image = _resized(image, domain.size)
            else:
                image = _respaced(image, domain.target_spacing)
            outside, _ = beyond_border(image, "lowest" if domain.dims == 3 else "zeros")
            sample[key] = SpatialPad(domain.size, mode="constant")(image - outside) + outside
        return sample


def _resized(image: MetaTensor, target: Sequence[int]) -> torch.Tensor:
    """As large as fits into a size."""
    size = image.shape[1:]
    scale = min(t / n for t, n in zip(target, size, strict=True))
    inner = tuple(min(t, max(1, round(n * scale))) for t, n in zip(target, size, strict=True))
    factors = [torch.tensor(float(before)) / after for before, after in zip(size, inner, strict=True)]
    return Resize(inner, mode="bilinear" if len(target) == 2 else "trilinear")(_smoothed(image, factors))


def _respaced(image: MetaTensor, spacing: Sequence[float]) -> torch.Tensor:
    """With voxels of a length along each axis, at right angles.

    The first voxel is at the image's first corner, and there are as many as reach the last one, to the nearest number:
    the grid of MONAI's ``Spacing``, but for what the last digits of an affine decide there (MONAI 1.6). It rounds
    halves to the even number, where here a last voxel that lies half beyond the image is left out; and where axes are
    not at right angles to the last digit, as those of oblique NIfTI, of 32 bits, it aligns the middles instead.
    """
    dims = len(spacing)
    affine = spatial_affine(image.affine, dims)
    lengths = torch.linalg.vector_norm(affine[:-1, :-1], dim=0)
    factors = list(torch.tensor(spacing, dtype=lengths.dtype) / lengths)
    grid = torch.as_tensor(zoom_affine(affine.numpy(), spacing, diagonal=False))
    corners = torch.cartesian_prod(*(torch.tensor([0.0, n - 1.0], dtype=lengths.dtype) for n in image.shape[1:]))
    placed = corners @ torch.linalg.solve(grid[:-1, :-1], affine[:-1, :-1]).T
    first, last = placed.amin(dim=0), placed.amax(dim=0)
    grid[:-1, -1] = affine[:-1, -1] + grid[:-1, :-1] @ first
    size = [int(torch.floor(length + 1.5 - HALF)) for length in last - first]
    return SpatialResample(padding_mode="border")(_smoothed(image, factors), dst_affine=grid, spatial_size=size)


def _smoothed(image: MetaTensor, factors: Sequence[torch.Tensor]) -> MetaTensor:
    """(C, *spatial) without the structure that is too fine once it has shrunk by a factor along each axis.

    As MONAI's ``Resize`` smooths it.

    That takes a convolution, which PyTorch is slow at with a single channel: a sum of shifted images gives the same
    numbers, of a picture to the last bit, in a fifth of the time.

    Source: skimage.transform.resize, whose default sigma MONAI takes.
    """
    smooth = plain_tensor(image).float()
    for axis, factor in enumerate(factors, start=1):
        if factor > 1:
            before = image.shape[axis]
            sigma = (factor - 1) / 2
            first, *weights = gaussian_1d(sigma, truncated=4.0).tolist()
            reach = len(weights) // 2
            padded = functional.pad(smooth, [0, 0] * (image.ndim - 1 - axis) + [reach, reach])
            smooth = padded.narrow(axis, 0, before) * first
            for shift, weight in enumerate(weights, start=1):
                smooth.add_(padded.narrow(axis, shift, before), alpha=weight)
    like_image: MetaTensor = convert_to_dst_type(smooth, image, dtype=smooth.dtype)[0]
    return like_image
