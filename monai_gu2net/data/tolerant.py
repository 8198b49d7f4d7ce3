# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Going on without the cases that cannot be read."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from torch.utils.data import IterableDataset

__all__ = ["TolerantDataset", "first_error", "reason_of"]

_log = logging.getLogger(__name__)
_WRAPPED = ("applying transform", "Failed to instantiate component", "Failed to evaluate")  # MONAI 1.6


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
                reason = reason_of(error)
                _log.warning("Case %s of domain %s left out: %s", case.get("case"), case.get("domain"), reason)
                self.failures.append(
                    {"case": str(case.get("case")), "domain": str(case.get("domain")), "reason": reason}
                )
            else:
                yield sample
            self.on_case(count)


def first_error(error: BaseException) -> BaseException:
    """The error that was raised first.

    MONAI's Compose, ConfigParser and ``instantiate`` wrap whatever is raised below them in a RuntimeError of their own.
    """
    while error.__cause__ is not None and str(error).startswith(_WRAPPED):
        error = error.__cause__
    return error


def reason_of(error: BaseException) -> str:
    """What was said first; an error that is not in our words is named by its kind too."""
    error = first_error(error)
    if isinstance(error, (OSError, ValueError, ImportError)) and str(error):
        return str(error)
    return f"{type(error).__name__}: {error}".removesuffix(": ")
