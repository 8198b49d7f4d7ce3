# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What a run on some cases of a datalist does not take."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from monai_gu2net.data.datalist import Datalist
from monai_gu2net.data.outside import outside_landmarks
from monai_gu2net.files import LeftOut, left_out_lines

__all__ = ["warn_of_left_out"]

_log = logging.getLogger(__name__)


def warn_of_left_out(data: Datalist, cases: Sequence[Mapping[str, Any]]) -> list[LeftOut]:
    """Log a warning for each kind of what is left out, and return it.

    That is what the data says was left out of it, and what its cases say: no case of a domain, landmarks outside the
    image, cases without landmarks.

    Args:
        data: the datalist.
        cases: those of its cases that a run takes.
    """
    bare = [case for case in cases if not any(point is not None for point in case.get("landmarks") or ())]
    taken = {case["domain"] for case in cases}
    found = [
        *data.left_out,
        *(LeftOut("domain", name, "without a case here") for name in data.domains if name not in taken),
        *outside_landmarks(cases),
        *(LeftOut("case", f"{case['domain']} {case['case']}", "without landmarks") for case in bare),
    ]
    for line in left_out_lines(found):
        _log.warning("%s", line)
    return found
