# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The mean shapes of a datalist whose images lie in any pose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from monai.transforms import Compose

from monai_gu2net.data.datalist import Datalist
from monai_gu2net.data.domain import Domain
from monai_gu2net.landmarks.shape import mean_shape
from monai_gu2net.transforms.load import LoadRadiographd
from monai_gu2net.transforms.resolve_spacing import PhysicalSpaced

__all__ = ["with_mean_shapes"]


def with_mean_shapes(data: Datalist, names: Sequence[str]) -> Datalist:
    """The datalist with the mean shapes of some of its domains, from the landmarks of their training cases.

    Where the domain declares mirror partners, the shape is turned so that its right lies where that of an upright
    volume does, and a mirrored image fits it.

    Args:
        data: whose training images are read for the world that their landmarks lie in.
        names: of the domains, each with a target spacing.

    Raises:
        ValueError: a domain has no training case of known spacing with enough landmarks, or a landmark that none of
            them has.
    """
    domains = dict(data.domains)
    load = Compose([LoadRadiographd(domains=domains), PhysicalSpaced(domains=domains)])
    for name in names:
        samples = [load(dict(case)) for case in data.training if case["domain"] == name and case.get("landmarks")]
        shape = mean_shape([sample["landmarks"].numpy() for sample in samples if sample["unit"] == "mm"])
        absent = [each for each, point in zip(domains[name].landmarks, shape, strict=True) if np.isnan(point).any()]
        if absent:
            raise ValueError(
                f"Domain {name!r}: each landmark must be there in one of the training cases; got none of {absent}. "
                "Leave it out, or annotate it."
            )
        turned = _upright(shape, domains[name])
        domains[name] = replace(domains[name], mean_shape=tuple(map(tuple, turned.round(4).tolist())))
    return Datalist(data.name, domains, data.training, data.validation, data.test)


def _upright(shape: np.ndarray, domain: Domain) -> np.ndarray:
    """The shape turned, by the smallest angle, so that what lies between mirror partners is the left-right axis."""
    if not domain.mirror:
        return shape
    index = domain.landmarks.index
    across = np.mean([shape[index(right)] - shape[index(left)] for left, right in domain.mirror], axis=0)
    across /= np.linalg.norm(across)
    axis = next(place for place, letter in enumerate(domain.orientation or "R") if letter in "RL")
    target = np.eye(len(across))[axis] * (-1 if domain.orientation and domain.orientation[axis] == "L" else 1)
    between = across + target
    if np.linalg.norm(between) < 1e-6:  # opposite: any axis across will do
        between = np.eye(len(across))[axis - 1]
    # the product of two reflections turns the one into the other
    first, second = (np.eye(len(across)) - 2 * np.outer(v, v) / (v @ v) for v in (across, between))
    turned: np.ndarray = shape @ (second @ first).T
    return turned
