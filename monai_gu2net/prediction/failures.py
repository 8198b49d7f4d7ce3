# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Cases that fail without stopping the others."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from monai_gu2net.data.first_error import reason_of
from monai_gu2net.files import full_disk

__all__ = ["Failures"]

_log = logging.getLogger(__name__)


class Failures(list[dict[str, str]]):
    """What failed in a run: ``case``, ``domain`` ("" where none is known) and ``reason`` of each."""

    @contextmanager
    def of(
        self,
        case: Mapping[Any, Any],
        what: str,
        *,
        kinds: type[Exception] | tuple[type[Exception], ...] = Exception,
        with_what: bool = False,
    ) -> Iterator[None]:
        """A block whose error is a failure of the case, and ends there.

        A disk that is full or read-only stops the run all the same, for it is no case's fault.

        Args:
            case: with ``case`` and ``domain``.
            what: became of it, for the log.
            kinds: of errors; others are raised.
            with_what: whether the reason says that, too.
        """
        try:
            yield
        except kinds as error:
            full = full_disk(error)
            if full is not None:
                raise full from error
            name, domain, reason = str(case.get("case")), str(case.get("domain") or ""), reason_of(error)
            _log.warning("Case %s of %s %s: %s", name, f"domain {domain}" if domain else "no domain", what, reason)
            self.append({"case": name, "domain": domain, "reason": f"{what}: {reason}" if with_what else reason})
