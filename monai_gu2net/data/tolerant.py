# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Going on without the cases that cannot be read."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from torch.utils.data import IterableDataset

__all__ = ["TolerantDataset"]

_log = logging.getLogger(__name__)


class TolerantDataset(IterableDataset[Any]):
    """Transforms cases one by one and lists those that fail instead of stopping at them.

    Args:
        cases: datalist cases.
        transform: applied to each.
        on_case: called with the number of cases done, after each.

    Attributes:
        failures: of the last pass: ``case``, ``domain`` and ``reason`` of each case that failed.
    """

    def __init__(
        self,
        cases: Sequence[Mapping[str, Any]],
        transform: Callable[[Any], Any],
        *,
        on_case: Callable[[int], None] = lambda count: None,
    ) -> None:
        self.cases, self.transform, self.on_case = cases, transform, on_case
        self.failures: list[dict[str, str]] = []

    def __iter__(self) -> Iterator[Any]:
        self.failures.clear()
        for count, case in enumerate(self.cases, start=1):
            try:
                sample = self.transform(dict(case))
            except Exception as error:
                reason = _reason(error)
                _log.warning("Case %s of domain %s left out: %s", case.get("case"), case.get("domain"), reason)
                self.failures.append(
                    {"case": str(case.get("case")), "domain": str(case.get("domain")), "reason": reason}
                )
            else:
                yield sample
            self.on_case(count)


def _reason(error: BaseException) -> str:
    """What the transform itself said: every Compose around it wraps that in a RuntimeError of its own."""
    while error.__cause__ is not None and str(error).startswith("applying transform"):
        error = error.__cause__
    return str(error) or type(error).__name__
