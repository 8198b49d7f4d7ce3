# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Radiographs that come inverted, bright where they are to be dark."""

from __future__ import annotations

from collections.abc import Callable

from monai.data import MetaTensor
from torch import Tensor

from monai_gu2net.transforms.heatmaps_dict import POLARITY_META

__all__ = ["TURNED", "logits_of_either_polarity"]

TURNED = "inverted: the image was turned dark for bright, for only so its landmarks are recognised"
"""What is said of an image whose polarity was turned."""

# Of 1,076 ordinary heads, hands, chests, spines and lungs, of training and validation, the inverse was recognised 0.63
# times as surely at most, but for one image that was recognised in neither way, at 0.05 and 0.13.
_SURER = 1.5
_RECOGNISED = 0.25


def logits_of_either_polarity(image: Tensor, look: Callable[[Tensor], Tensor]) -> Tensor:
    """The logits of radiographs, or of their inverse where the landmarks are recognised in that and not in themselves.

    The mean confidence of an image's landmarks decides: the inverse must have 1.5 times that of the image, and 0.25 at
    least. It is looked at only where that is possible, so an image whose landmarks are found at 2/3 costs nothing more.

    Args:
        image: (B, C, X, Y) normalised around 0 and padded with 0, so that its negative is what the inverted file gives.
        look: images to logits (B, N, X, Y).

    Returns:
        The logits. Where any image was turned they are a MetaTensor whose metadata say of each image what is to be said
        of it (``gu2net_polarity``): :data:`TURNED`, or nothing.
    """
    logits = look(image)
    sure = _mean_confidence(logits)
    [unsure] = (sure * _SURER < 1).nonzero(as_tuple=True)
    if not len(unsure):
        return logits
    inverse = look(-image[unsure])
    turned = _mean_confidence(inverse) >= (_SURER * sure[unsure]).clamp(min=_RECOGNISED)
    if not turned.any():
        return logits
    logits = logits.index_copy(0, unsure[turned], inverse[turned])
    which = set(unsure[turned].tolist())
    marked = MetaTensor(logits, meta={POLARITY_META: [TURNED if index in which else "" for index in range(len(image))]})
    marked.is_batch = True
    return marked


def _mean_confidence(logits: Tensor) -> Tensor:
    """(B,) of all landmarks; NaN, which decides nothing, where a heatmap has NaN."""
    return logits.flatten(2).amax(dim=-1).sigmoid().mean(dim=-1)
