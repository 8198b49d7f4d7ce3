# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Which annotations of a dataset can hardly be right."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from monai_gu2net.data.domain import Domain
from monai_gu2net.landmarks import implausible_landmarks
from monai_gu2net.sources.split import Case
from monai_gu2net.sources.volume_frame import VolumeFrame

__all__ = ["doubtful_in", "doubts_in_words"]

_SHOWN = 10  # images


def doubtful_in(
    cases: Sequence[Case], domain: Domain, frames: Mapping[str, VolumeFrame | None]
) -> dict[str, list[str]]:
    """By case, the names of its implausible landmarks, see :func:`~monai_gu2net.landmarks.implausible_landmarks`.

    Args:
        cases: of one domain.
        domain: theirs.
        frames: by case, the grid of a volume, whose landmarks are compared in mm of the world; None: a picture.
    """
    absent = [math.nan] * domain.dims
    sets = []
    for case in cases:
        points = np.array([absent if point is None else point for point in case["landmarks"]], dtype=np.float64)
        frame = frames[case["case"]]
        sets.append(points if frame is None else points @ frame.affine[:3, :3].T + frame.affine[:3, 3])
    found = implausible_landmarks(sets, any_pose=domain.dims == 3)
    return {
        case["case"]: [domain.landmarks[index] for index in indices]
        for case, indices in zip(cases, found, strict=True)
        if indices
    }


def doubts_in_words(doubtful: Mapping[str, Sequence[str]], *, left_out: bool) -> str:
    """What is said of them; the first ten images are named."""
    shown = "; ".join(f"{case}: {', '.join(names)}" for case, names in list(doubtful.items())[:_SHOWN])
    more = f"; and {len(doubtful) - _SHOWN} more" if len(doubtful) > _SHOWN else ""
    what = "training leaves them out" if left_out else "look at them, or train without them: --doubtful leave-out"
    return (
        f"{sum(map(len, doubtful.values()))} landmark(s) of {len(doubtful)} image(s) lie where they can hardly be, by "
        f"how those of the others lie to each other ({shown}{more}): {what}"
    )
