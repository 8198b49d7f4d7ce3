# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The fixed steps before a network: the same in training, evaluation and prediction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from monai.transforms import Compose, NormalizeIntensityd

from monai_gu2net.data.domain import Domain
from monai_gu2net.transforms.load import LoadRadiographd
from monai_gu2net.transforms.outliers import ClipOutliersd
from monai_gu2net.transforms.resize import FitToDomaind
from monai_gu2net.transforms.resolve_spacing import PhysicalSpaced
from monai_gu2net.transforms.tell_domain import TellDomaind
from monai_gu2net.transforms.upright import TurnUprightd
from monai_gu2net.uncertainty.appearance import Appearance

__all__ = ["RadiographPreprocessing"]


class RadiographPreprocessing(Compose):
    """Load, tell the domain, give physical spacing, turn upright, clip, normalise, fit to a size.

    Normalised is to mean 0 and deviation 1. None of the steps is random, so a caching dataset keeps their result.

    Args:
        domains: by name; the sample's ``domain`` picks one.
        spacing: mm per pixel of every image, see :class:`PhysicalSpaced`.
        accept_spacing_source: see :class:`PhysicalSpaced`.
        appearances: by domain, what its images look like, see :class:`TellDomaind`. None: every sample names its
            domain, and is taken at its word.
    """

    def __init__(
        self,
        domains: Mapping[str, Domain],
        *,
        spacing: Sequence[float] | None = None,
        accept_spacing_source: Sequence[str] | None = None,
        appearances: Mapping[str, Appearance] | None = None,
    ) -> None:
        super().__init__(
            [
                LoadRadiographd("image", domains=domains),
                *([] if appearances is None else [TellDomaind(domains=domains, appearances=appearances)]),
                PhysicalSpaced("image", domains=domains, spacing=spacing, accept_spacing_source=accept_spacing_source),
                TurnUprightd("image", domains=domains),
                ClipOutliersd("image"),
                NormalizeIntensityd("image", channel_wise=True),
                FitToDomaind("image", domains=domains),
            ]
        )
