# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The image the way up that a network has learned."""

from __future__ import annotations

import logging
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

from monai.transforms import Flip, MapTransform

from monai_gu2net.dicom.orientation import turn_of

__all__ = ["TurnUprightd"]

_log = logging.getLogger(__name__)


class TurnUprightd(MapTransform):
    """Turns a radiograph upright that DICOM's PatientOrientation says is stored upside down or mirrored.

    The affine follows, so that landmarks stay where they are, and results are in pixels of the file. What is turned,
    and what is not though it is unusual, is decided by :func:`~monai_gu2net.dicom.orientation.turn_of`, said in a
    warning with the file's name, and kept as the sample's ``orientation`` (text; empty: nothing to say). It belongs
    after PhysicalSpaced.

    Args:
        keys: the image, (C, *spatial) MetaTensor. The sample's ``file_orientation``, (PatientOrientation,
            BodyPartExamined) as LoadRadiographd leaves it, is used up; without it nothing is turned.
    """

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        sample = dict(data)
        turn = turn_of(*sample.pop("file_orientation", ("", "")))
        for key in self.key_iterator(sample):
            if turn.axes:
                sample[key] = Flip(turn.axes)(sample[key])
            if turn.note:
                _log.warning("%s: %s", Path(str(sample.get(f"{key}_file", "the image"))).name, turn.note)
        return sample | {"orientation": turn.note}
