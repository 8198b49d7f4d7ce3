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
from monai_gu2net.landmarks.shape import mean_shape, pose_of
from monai_gu2net.transforms.load import LoadRadiographd
from monai_gu2net.transforms.resolve_spacing import PhysicalSpaced

__all__ = ["with_mean_shapes"]

_ALIKE = 60.0  # degrees from the mean shape that augmentation can be made to cover


def with_mean_shapes(data: Datalist, *, any_pose: bool | None = None) -> Datalist:
    """The datalist with the mean shapes of the domains whose images lie in any pose, from their training landmarks.

    A domain that has a shape already gets one in its pose, as for the folds of a study. Where a domain declares mirror
    partners, a new shape is turned so that its right lies where that of an upright volume
    does, and a mirrored image fits it.

    Args:
        data: whose training images are read for the world that their landmarks lie in.
        any_pose: whether the images of all domains do; None: those do of which a training image is turned by more than
            60 degrees from the mean shape, which is said as the datalist's ``origin["pose"]``. Only a domain of volumes
            with a target spacing can have a shape, and fewer than three landmarks have none.

    Raises:
        ValueError: a shape is asked for or needed, and the domain has no target spacing, no training case of known
            spacing with enough landmarks, or a landmark that none of them has.
    """
    domains, said = dict(data.domains), []
    load = Compose([LoadRadiographd(domains=domains), PhysicalSpaced(domains=domains)])
    for name, domain in domains.items():
        fits = domain.dims == 3 and domain.target_spacing is not None
        if any_pose is False or (any_pose is None and not fits):
            domains[name] = replace(domain, mean_shape=None)
            continue
        cases = [case for case in data.training if case["domain"] == name and case.get("landmarks")]
        known = ((sample["landmarks"].numpy(), sample["unit"]) for sample in (load(dict(case)) for case in cases))
        sets = [landmarks for landmarks, unit in known if unit == "mm"]  # of the images nothing is kept
        try:
            shape = mean_shape(sets)
        except ValueError as error:
            if any_pose is None:  # too few landmarks to see a pose by
                domains[name] = replace(domain, mean_shape=None)
                continue
            raise ValueError(f"Domain {domain.name!r}: {error}") from error
        apart = max((pose.degrees for each in sets if (pose := pose_of(each, shape)) is not None), default=0.0)
        if any_pose is None and apart <= _ALIKE:
            domains[name] = replace(domain, mean_shape=None)
            continue
        absent = [each for each, point in zip(domain.landmarks, shape, strict=True) if np.isnan(point).any()]
        if absent:
            raise ValueError(
                f"Domain {name!r}: each landmark must be there in one of the training cases; got none of {absent}. "
                "Leave it out, or annotate it."
            )
        turned = _upright(shape, domain) if domain.mean_shape is None else _as_before(shape, domain.mean_shape)
        domains[name] = replace(domain, mean_shape=tuple(map(tuple, turned.round(4).tolist())))
        said.append(f"images of {name} lie up to {apart:.0f} degrees apart, and are found in any pose")
    origin = {**(data.origin or {}), "pose": "; ".join(said)} if said else data.origin
    return replace(data, domains=domains, origin=origin)


def _as_before(shape: np.ndarray, before: Sequence[Sequence[float]]) -> np.ndarray:
    """The shape in the pose of another."""
    pose = pose_of(shape, before)
    return shape if pose is None else shape @ pose.rotation.T + pose.shift


def _upright(shape: np.ndarray, domain: Domain) -> np.ndarray:
    """The shape turned, by the smallest angle, so that what lies between mirror partners is the left-right axis."""
    index = domain.landmarks.index
    partners = [(left, right) for left, right in domain.mirror if right is not None]
    if not partners:
        return shape
    across = np.mean([shape[index(right)] - shape[index(left)] for left, right in partners], axis=0)
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
