# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The landmarks found in an image as the JSON that a server gives out."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from monai.config import KeysCollection
from monai.transforms import MapTransform

from monai_gu2net.data.domain import Domain
from monai_gu2net.transforms.found import Found

__all__ = ["LandmarksToJsond"]


class LandmarksToJsond(MapTransform):
    """Puts what was found into plain numbers and words, see :meth:`~monai_gu2net.transforms.Found.to_dict`.

    They go to "result", where MONAI Label takes them from.

    Args:
        keys: prefix of what ``HeatmapsToLandmarksd`` wrote.
        domains: by name; the sample's ``domain`` picks one.
        model: name and version of what found the landmarks, see :func:`~monai_gu2net.prediction.model_identity`.
    """

    def __init__(
        self,
        keys: KeysCollection = "pred",
        *,
        domains: Mapping[str, Domain],
        model: Mapping[str, str] | str = "GU2Net",
    ) -> None:
        super().__init__(keys)
        self.domains = domains
        self.model = model if isinstance(model, str) else dict(model)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        sample = dict(data)
        for key in self.keys:
            found = Found.of_sample(sample, self.domains[sample["domain"]], str(key))
            sample["result"] = found.to_dict(model=self.model)
        return sample
