# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The dataset of a bundle's training, beside MONAI's convention for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from monai.data import CacheDataset

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
        super().__init__(cases, transform, num_workers=num_workers, progress=progress)
        self.pairs = data
