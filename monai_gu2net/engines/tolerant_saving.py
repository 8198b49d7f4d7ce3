# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Saving cases where one that cannot be saved does not stop the others."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from monai_gu2net.data.tolerant import reason_of
from monai_gu2net.files import full_disk

__all__ = ["TolerantSaving"]

_log = logging.getLogger(__name__)


class TolerantSaving:
    """Calls a transform that writes a case; one that it refuses is kept as a failure.

    Args:
        save: raises a ValueError where a case cannot be written, such as a DICOM image that names no study.
        tolerant: whether any other error is a failure of its case too, but for a disk that is full or read-only.

    Attributes:
        failures: one per refused case, with ``case``, ``domain`` and ``reason``.
    """

    def __init__(self, save: Callable[[Mapping[Any, Any]], Any], *, tolerant: bool = True) -> None:
        self.save, self.tolerant = save, tolerant
        self.failures: list[dict[str, str]] = []

    def __call__(self, sample: Mapping[Any, Any]) -> Mapping[Any, Any]:
        """The sample as it is, saved or not."""
        try:
            self.save(sample)
        except Exception as error:
            if full_disk(error) is not None or not (self.tolerant or isinstance(error, ValueError)):
                raise
            case, domain = str(sample["case"]), str(sample["domain"])
            reason = f"not wholly saved: {reason_of(error)}"
            _log.warning("Case %s of domain %s %s", case, domain, reason)
            self.failures.append({"case": case, "domain": domain, "reason": reason})
        return sample
