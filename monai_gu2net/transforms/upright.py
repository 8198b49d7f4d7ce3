# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The image the way up that a network has learned."""

from __future__ import annotations

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
from monai_gu2net.data.nearest_axes import nearest_axes
from monai_gu2net.dicom.orientation import turn_of
from monai_gu2net.transforms.heatmaps import plain_tensor

__all__ = ["TurnUprightd"]

_log = logging.getLogger(__name__)
_RAS = (("L", "R"), ("P", "A"), ("I", "S"))


class TurnUprightd(MapTransform):
    """Turns a radiograph upright, and the axes of a volume to where its domain's lead.

    The affine follows, so that landmarks stay where they are, and results are in pixels of the file. It belongs after
    PhysicalSpaced.

    A radiograph is turned that DICOM's PatientOrientation says is stored upside down or mirrored. What is turned, and
    what is not though it is unusual, is decided by :func:`~monai_gu2net.dicom.orientation.turn_of`, said in a warning
    with the file's name, and kept as the sample's ``orientation`` (text; empty: nothing to say).

    Of a volume the axes change places and directions, also where its scale is not known; one that lies obliquely is not
    resampled, its axes go where they lead most nearly, see :func:`~monai_gu2net.data.nearest_axes.nearest_axes`.

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


def _reoriented(image: MetaTensor, directions: torch.Tensor, orientation: str) -> MetaTensor:
    """The volume with its axes in an order and direction such as "RAS"; its affine follows."""
    nearest = np.eye(4)
    nearest[:3, :3] = nearest_axes(to_affine_nd(3, directions).double().cpu().numpy())
    stored = torch.as_tensor(nearest)
    # without labels MONAI 1.6 warns of a default that has changed
    turned: Any = Orientation(orientation, labels=_RAS)(MetaTensor(plain_tensor(image), affine=stored))
    affine = to_affine_nd(3, image.affine).double().cpu() @ torch.linalg.inv(stored) @ turned.affine
    return MetaTensor(plain_tensor(turned).contiguous(), affine=affine)
