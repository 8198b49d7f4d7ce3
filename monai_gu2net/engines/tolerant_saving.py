# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Saving cases where one that cannot be saved does not stop the others."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["TolerantSaving"]

_log = logging.getLogger(__name__)


class TolerantSaving:
    """Calls a transform that writes a case; one that it refuses is kept as a failure.

    Args:
        save: raises a ValueError where a case cannot be written, such as a DICOM image that names no study.

    Attributes:
        failures: one per refused case, with ``case``, ``domain`` and ``reason``.
    """

    def __init__(self, save: Callable[[Mapping[Any, Any]], Any]) -> None:
        self.save = save
        self.failures: list[dict[str, str]] = []

    def __call__(self, sample: Mapping[Any, Any]) -> Mapping[Any, Any]:
        """The sample as it is, saved or not."""
        try:
            self.save(sample)
        except ValueError as error:
            case, domain = str(sample["case"]), str(sample["domain"])
            _log.warning("Case %s of domain %s not wholly saved: %s", case, domain, error)
            self.failures.append({"case": case, "domain": domain, "reason": f"not wholly saved: {error}"})
        return sample
