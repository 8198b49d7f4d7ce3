# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""How a model is used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real

from monai_gu2net.data.spacing_source import checked_sources, checked_spacing

__all__ = ["PredictionOptions"]


@dataclass(frozen=True, kw_only=True)
class PredictionOptions:
    """How a model is used, whatever the image.

    Args:
        min_confidence: landmarks below it are called absent.
        tta: test-time augmentation: of so many versions of each image the heatmaps are averaged, see
            :class:`~monai_gu2net.inferers.TTAInferer`; 1 is the image itself.
        spacing: mm per pixel of every image, whatever else says so; by default what each file says, or the domain's
            reference length, else pixels are the unit.
        accept_spacing_source: what the source of a spacing must begin with, such as "detector"; with another one
            results are in pixels, see :func:`~monai_gu2net.data.case_spacing`. None: any will do.
        backend: the engine that runs the networks: "auto", "torch", "openvino", "onnxruntime" or "tensorrt", see
            :class:`~monai_gu2net.export.Backend`, as for the next.
        precision: that it computes in: "auto", "float32" or "bfloat16".

    Raises:
        ValueError: one of those that are numbers is impossible, or a source is misspelt.
    """

    min_confidence: float = 0.0
    tta: int = 1
    spacing: Sequence[float] | None = None
    accept_spacing_source: Sequence[str] | None = None
    backend: str = "auto"
    precision: str = "auto"

    def __post_init__(self) -> None:
        if not isinstance(self.min_confidence, Real) or not 0 <= self.min_confidence <= 1:
            raise ValueError(f"min_confidence must be from 0 to 1; got {self.min_confidence!r}. Correct it.")
        checked_spacing(self.spacing)
        checked_sources(self.accept_spacing_source)
