# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Telling from an image which domain it is of."""

from __future__ import annotations

import logging
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import torch
from monai.transforms import Flip, Transform
from torch import Tensor

from monai_gu2net.data.domain import Domain
from monai_gu2net.dicom.orientation import turn_of
from monai_gu2net.transforms.heatmaps import plain_tensor
from monai_gu2net.transforms.load import LoadRadiographd
from monai_gu2net.transforms.picture_features import picture_features
from monai_gu2net.uncertainty.appearance import Appearance, most_like

__all__ = ["TellDomaind", "upright_picture"]

_log = logging.getLogger(__name__)


class TellDomaind(Transform):
    """Gives a sample whose domain is None the one that its image looks like, and compares one that has a domain.

    It belongs after LoadRadiographd. The sample's ``domain_doubt`` says in words what speaks against the domain: that
    the image is none of it by its looks, or where the domain is told from the image, that another one is possible too.
    Empty: nothing, or the domain's looks are not known, as those of volumes.

    Args:
        domains: by name, those that the image can be of.
        appearances: by domain, what its images look like.

    Raises (when called):
        ValueError: the image is of none of the domains by its looks, or the looks of one are not known, and the sample
            names none.
    """

    def __init__(self, *, domains: Mapping[str, Domain], appearances: Mapping[str, Appearance]) -> None:
        self.domains = dict(domains)
        self.appearances = dict(appearances)
        self.load = LoadRadiographd("image", domains=domains)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        sample = dict(data)
        given = sample.get("domain")
        if given is not None and given not in self.appearances:
            return sample | {"domain_doubt": ""}
        missing = [name for name in self.domains if name not in self.appearances]
        if given is None and missing:
            raise ValueError(
                f"The domain must be named for a model that does not know what its images look like, {missing}; got "
                "none. Name it (--domain)."
            )
        name = Path(str(sample.get("image_file", "the image"))).name
        told, scores = most_like(self.appearances, picture_features(upright_picture(sample)))
        if given is None and scores[told] > 1:
            raise ValueError(
                f"The image must be of a domain of the model, with a score of at most 1; got {_listed(scores)} of "
                f"{name}. Name the domain (--domain) if it is of one all the same."
            )
        if given is None:
            sample["domain"] = told
            others = {each: score for each, score in scores.items() if each != told and score <= 1}
            doubt = f"told from the image with score {_listed({told: scores[told]})}; possible too is {_listed(others)}"
            if self.domains[told].in_channels > 1 and len(sample["image"]) == 1:  # read in grey to be told
                sample |= self.load({**sample, "image": sample["image_file"]})
            doubt = doubt if others else ""
        else:
            doubt = f"by its looks the image is not of this domain: score {_listed({given: scores[given]})}, at most 1"
            doubt += f"; it looks like {_listed({told: scores[told]})}" if scores[told] <= 1 else ""
            doubt = doubt if scores[given] > 1 else ""
        if doubt:
            _log.warning("%s, domain %s: %s", name, sample["domain"], doubt)
        return sample | {"domain_doubt": doubt}


def upright_picture(sample: Mapping[Hashable, Any]) -> Tensor:
    """(C, X, Y) the image of a sample as LoadRadiographd gives it, the way up that its file says.

    Raises:
        ValueError: it is a volume.
    """
    image = plain_tensor(torch.as_tensor(sample["image"]))
    if image.ndim != 3:
        raise ValueError(
            f"The image must be a picture, for its domain to be told by its looks; got {image.ndim - 1} axes of space. "
            "Name the domain (--domain)."
        )
    turn = turn_of(*sample.get("file_orientation", ("", "")))
    return torch.as_tensor(Flip(turn.axes)(image)) if turn.axes else image


def _listed(scores: Mapping[str, float]) -> str:
    """Such as "1.31 (head), 2.40 (hand)", the lowest first."""
    return ", ".join(f"{score:.2f} ({name})" for name, score in sorted(scores.items(), key=lambda pair: pair[1]))
