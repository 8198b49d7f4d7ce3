# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The image the way up that a network has learned."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.data.utils import to_affine_nd
from monai.transforms import Flip, MapTransform, Orientation

from monai_gu2net.data.domain import Domain
from monai_gu2net.dicom.orientation import turn_of
from monai_gu2net.transforms.heatmaps import plain_tensor

__all__ = ["TurnUprightd", "nearest_axes"]

_log = logging.getLogger(__name__)
_DIGITS = 6  # of cosines; rounding in the file's affine is less
_RAS = (("L", "R"), ("P", "A"), ("I", "S"))


class TurnUprightd(MapTransform):
    """Turns a radiograph upright, and the axes of a volume to where its domain's lead.

    The affine follows, so that landmarks stay where they are, and results are in pixels of the file. It belongs after
    PhysicalSpaced.

    A radiograph is turned that DICOM's PatientOrientation says is stored upside down or mirrored. What is turned, and
    what is not though it is unusual, is decided by :func:`~monai_gu2net.dicom.orientation.turn_of`, said in a warning
    with the file's name, and kept as the sample's ``orientation`` (text; empty: nothing to say).

    Of a volume the axes change places and directions, also where its scale is not known; one that lies obliquely is not
    resampled, its axes go where they lead most nearly, see :func:`nearest_axes`.

    Args:
        keys: the image, (C, *spatial) MetaTensor. The sample's ``file_orientation``, (PatientOrientation,
            BodyPartExamined) as LoadRadiographd leaves it, is used up; without it no radiograph is turned. So is
            ``file_directions``, (4, 4) as PhysicalSpaced leaves it, without which a volume's affine says where its axes
            lead.
        domains: by name, of which the sample's ``domain`` picks one; None: there are no volumes.
    """

    def __init__(self, keys: KeysCollection = "image", *, domains: Mapping[str, Domain] | None = None) -> None:
        super().__init__(keys)
        self.domains = dict(domains or {})

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        sample = dict(data)
        turn = turn_of(*sample.pop("file_orientation", ("", "")))
        directions = sample.pop("file_directions", None)
        domain = self.domains.get(sample.get("domain", ""))
        for key in self.key_iterator(sample):
            if domain is not None and domain.orientation is not None:
                leads = sample[key].affine if directions is None else directions
                sample[key] = _reoriented(sample[key], leads, domain.orientation)
            if turn.axes:
                sample[key] = Flip(turn.axes)(sample[key])
            if turn.note:
                _log.warning("%s: %s", Path(str(sample.get(f"{key}_file", "the image"))).name, turn.note)
        return sample | {"orientation": turn.note}


def nearest_axes(affine: np.ndarray) -> np.ndarray:
    """Where the axes of a volume lead most nearly: right, front or head, or the other way.

    Of all ways to give each axis of the file one of the world's, that with the largest sum of cosines, which is that of
    MONAI's ``Orientation`` unless two are about as near. Where they are exactly so, at 45 degrees, it is the one whose
    axes, as it orders them, have the larger first different number: the same for a volume and for its copy with other
    axes first or the other way round, where that of MONAI 1.6 and nibabel 5.4 depends on their order in the file.

    Args:
        affine: (4, 4) index to RAS; its axes may be sheared, and of any lengths.

    Returns:
        (3, 3) of 0 and one 1 or -1 in each row, the world's axis, and each column, the file's.

    Example:
        >>> nearest_axes(np.diag([-2.0, 3.0, 1.0, 1.0])).astype(int).tolist()
        [[-1, 0, 0], [0, 1, 0], [0, 0, 1]]
    """
    columns = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    left, _, right = np.linalg.svd(columns)
    directions = left @ right  # without the shear
    best: tuple[float, list[float]] | None = None
    found = np.eye(3)
    for order in itertools.permutations(range(3)):
        for signs in itertools.product((1.0, -1.0), repeat=3):
            ordered = directions[:, order] * signs
            rank = round(float(np.trace(ordered)), _DIGITS), ordered.round(_DIGITS).ravel().tolist()
            if best is None or rank > best:
                best, found = rank, np.zeros((3, 3))
                found[range(3), order] = signs
    return found


def _reoriented(image: MetaTensor, directions: torch.Tensor, orientation: str) -> MetaTensor:
    """The volume with its axes in an order and direction such as "RAS"; its affine follows."""
    nearest = np.eye(4)
    nearest[:3, :3] = nearest_axes(to_affine_nd(3, directions).double().cpu().numpy())
    stored = torch.as_tensor(nearest)
    # without labels MONAI 1.6 warns of a default that has changed
    turned: Any = Orientation(orientation, labels=_RAS)(MetaTensor(plain_tensor(image), affine=stored))
    affine = to_affine_nd(3, image.affine).double().cpu() @ torch.linalg.inv(stored) @ turned.affine
    return MetaTensor(plain_tensor(turned).contiguous(), affine=affine)
