# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The dataset of a bundle's training, beside MONAI's convention for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from monai.data import CacheDataset

from monai_gu2net.data.first_error import reason_of

__all__ = ["CaseDataset"]


class CaseDataset(CacheDataset):
    """A CacheDataset of cases.

    Programs that train a bundle on data of their own, such as MONAI Label, set ``train#dataset#data`` and
    ``validate#dataset#data`` to pairs of an image and a label. The bundles' configuration makes cases of them, for all
    of its parts that need to know the data; so what the dataset holds stands under another name.

    Args:
        data: pairs that the cases were made of; None: they come from a datalist. Only kept.
        cases: datalist cases.
        transform: of each case; the results of its steps before the first random one are kept.
        num_workers: threads that fill the cache.
        progress: show how far they are.

    Attributes:
        pairs: ``data``.

    Raises:
        ValueError: cases cannot be read or transformed; the message names them all.
    """

    def __init__(
        self,
        data: Sequence[Mapping[str, str]] | None = None,
        *,
        cases: Sequence[Mapping[str, Any]],
        transform: Callable[..., Any],
        num_workers: int | None = 1,
        progress: bool = True,
    ) -> None:
        self._reasons: dict[int, str] = {}
        super().__init__(cases, transform, num_workers=num_workers, progress=progress)
        self.pairs = data
        if self._reasons:
            lines = [
                f"  case {cases[index].get('case')} of domain {cases[index].get('domain')}: {reason}"
                for index, reason in sorted(self._reasons.items())
            ]
            raise ValueError(
                f"Cases must be readable to be trained or validated on; {len(lines)} of {len(cases)} are not:\n"
                + "\n".join(lines)
                + "\nMend these files, or take the cases out of the datalist to go on without them."
            )

    def _load_cache_item(self, idx: int) -> Any:
        """Called by CacheDataset in its threads, which run on after an error and abort the process as it ends."""
        try:
            return super()._load_cache_item(idx)
        except Exception as error:
            self._reasons[idx] = reason_of(error)
            return None
