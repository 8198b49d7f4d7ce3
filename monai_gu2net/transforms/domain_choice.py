# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Which domain an image is of, where the data does not say, as in a request to a server."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from monai.data import MetaTensor
from monai.transforms import MapTransform, Transform

from monai_gu2net.data.domain import Domain

__all__ = ["DOMAIN_META", "ChooseDomaind", "MarkDomaind"]

DOMAIN_META = "gu2net_domain"
"""Key of an image's metadata that names its domain, see :class:`MarkDomaind`."""


class ChooseDomaind(Transform):
    """Gives the sample its domain where it has none; it belongs at the start.

    Args:
        domains: those to choose from.
        default: the domain of samples that name none.
        tell: whether the domain is left to be told from the image by :class:`~monai_gu2net.transforms.TellDomaind`,
            whatever the sample names.

    Raises (when called):
        ValueError: the sample names a domain that is not there.
    """

    def __init__(self, *, domains: Mapping[str, Domain], default: str, tell: bool = False) -> None:
        self.domains, self.default, self.tell = domains, default, tell

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        sample = dict(data)
        if self.tell:
            return sample | {"domain": None}
        name = sample.get("domain") or self.default
        if name not in self.domains:
            raise ValueError(f"domain must be among the model's {list(self.domains)}; got {name!r}. Name one of them.")
        sample["domain"] = name
        return sample


class MarkDomaind(MapTransform):
    """Writes the sample's domain into the metadata of its image, from where the inferer takes it; it belongs last.

    That is for servers that call ``inferer(image, network)`` with the image alone, as MONAI Label does.

    Args:
        keys: the image, a MetaTensor.
    """

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        sample = dict(data)
        for key in self.key_iterator(sample):
            image = sample[key]
            sample[key] = MetaTensor(image, meta={**image.meta, DOMAIN_META: sample["domain"]})
        return sample
