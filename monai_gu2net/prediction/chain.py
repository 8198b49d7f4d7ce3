# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The steps from the file of an image to the landmarks found in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch

from monai_gu2net.data.domain import Domain
from monai_gu2net.prediction.postprocessing import PredictionPostprocessing
from monai_gu2net.transforms.found import Found
from monai_gu2net.transforms.preprocessing import RadiographPreprocessing

if TYPE_CHECKING:
    from monai_gu2net.prediction.predictor import Predictor

__all__ = ["Chain"]


class Chain:
    """The steps from a case to the landmarks found in it.

    Args:
        predictor: whose networks and options are used.
        domains: see :meth:`~monai_gu2net.prediction.Predictor.run`.
        keep_image: whether the pictures of what is found will be drawn.
    """

    def __init__(
        self, predictor: Predictor, domains: Mapping[str, Domain] | None = None, *, keep_image: bool = False
    ) -> None:
        options = predictor.options
        self.predictor, self.keep_image = predictor, keep_image
        self.domains = predictor.card.domains_for_new_images if domains is None else domains
        self.preprocess = RadiographPreprocessing(
            self.domains,
            spacing=options.spacing,
            accept_spacing_source=options.accept_spacing_source,
            appearances=predictor.appearances,
        )
        self.decode = PredictionPostprocessing(
            self.domains,
            calibrations=predictor.calibrations,
            min_confidence=options.min_confidence,
            accept_spacing_source=options.accept_spacing_source,
            scale=domains is None,
        )

    def read(self, case: Mapping[str, Any]) -> dict[Any, Any]:
        """The sample of a case with its image as the file has it, and its domain."""
        sample: dict[Any, Any] = self.preprocess(dict(case), end=2)
        return sample

    def prepare(self, case: Mapping[str, Any]) -> dict[Any, Any]:
        """The sample of a case, ready for the network."""
        sample = self.read(case)
        image = sample["image"]
        # of a picture in colour the overlay shows the luminance, which the network is not given
        if self.keep_image and image.ndim == 3 and self.domains[sample["domain"]].in_channels == 1:
            sample["file_image"] = image.as_tensor()[:1].clone()  # the next steps change it in place
        prepared: dict[Any, Any] = self.preprocess(sample, start=2)
        return prepared

    @torch.no_grad()
    def find(self, sample: Mapping[Any, Any]) -> Found:
        """What the network finds in a prepared sample."""
        image = sample["image"].as_tensor()[None].to(self.predictor.device)
        logits = self.predictor.inferer(image, self.predictor.network, sample["domain"])
        decoded = self.decode({**sample, "pred": logits[0]})
        return Found.of_sample(decoded, self.domains[sample["domain"]])
