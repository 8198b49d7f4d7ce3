# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The task that finds the landmarks of an image, for a viewer and for a program."""

from __future__ import annotations

import logging
import math
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from monailabel.interfaces.exception import MONAILabelError, MONAILabelException
from monailabel.interfaces.tasks.infer_v2 import InferTask, InferType
from monailabel.utils.others.generic import name_to_device

from monai_gu2net.data import Domain
from monai_gu2net.engines import run_cases
from monai_gu2net.label_app.labels import LABEL_EXTENSION, label_frame, write_label
from monai_gu2net.label_app.weights import AppWeights
from monai_gu2net.landmarks import LandmarkSet
from monai_gu2net.transforms import LandmarksToReplyd, ScaleByPredictiond

__all__ = ["LandmarkInferTask"]

_log = logging.getLogger(__name__)


class LandmarkInferTask(InferTask):
    """Finds the landmarks of one domain in an image.

    The result is a point list of Slicer, in the frame of the image file (:class:`LabelFrame`), where landmarks that
    were not found are undefined; and the reply of :class:`~monai_gu2net.transforms.LandmarksToReplyd`.

    The whole way is that of :func:`~monai_gu2net.engines.run_cases`, so that a viewer gets what ``predict`` writes; of
    MONAI Label's own chain of transforms, inferer and writer nothing would be left.

    Args:
        weights: of the app.
        domain: to find.
        spacing: mm per pixel of every image, see :func:`~monai_gu2net.engines.run_cases`.
        accept_spacing_source: see there.
    """

    def __init__(
        self,
        weights: AppWeights,
        domain: Domain,
        *,
        spacing: Sequence[float] | None = None,
        accept_spacing_source: Sequence[str] | None = None,
    ) -> None:
        super().__init__(
            type=InferType.DETECTION,  # what Slicer shows of a detection is a point list
            labels=list(domain.landmarks),
            dimension=2,
            description=f"Landmarks of the domain {domain.name!r}, by GU2Net",
            config={"device": [name_to_device(None)], "domain": domain.name, "min_confidence": 0.0},
        )
        self.weights, self.domain = weights, domain
        self.spacing, self.accept_spacing_source = spacing, accept_spacing_source

    def is_valid(self) -> bool:
        """Whether there are weights."""
        return self.weights.path.is_file()

    def get_path(self, validate: bool = True) -> str | None:
        """The file of the weights."""
        return str(self.weights.path) if not validate or self.is_valid() else None

    def find(
        self, image: str, *, device: str | None = None, min_confidence: float = 0.0
    ) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """The landmarks of an image file.

        Returns:
            The reply, and the result rows of :func:`~monai_gu2net.engines.run_cases`.

        Raises:
            MONAILabelException: the image cannot be read, or the domain has left the model.
        """
        predictor = self.weights.predictor(name_to_device(device))
        domains = predictor.card.domains_for_new_images
        samples: list[Mapping[Any, Any]] = []
        rows, failures = run_cases(
            predictor.network,
            replace(predictor.card, domains=domains),
            [{"image": str(image), "domain": self.domain.name, "case": "image"}],
            device=predictor.device,
            min_confidence=min_confidence,
            calibrations=predictor.calibrations,
            spacing=self.spacing,
            accept_spacing_source=self.accept_spacing_source,
            then=[
                ScaleByPredictiond("pred", domains=domains, accept_spacing_source=self.accept_spacing_source),
                LandmarksToReplyd("pred", domains=domains, model=predictor.model),
                _kept_in(samples),
            ],
        )
        if failures:
            raise MONAILabelException(MONAILabelError.INFERENCE_ERROR, failures[0]["reason"])
        return dict(samples[0]["result"]), rows

    def __call__(self, request: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """Answer a request.

        Args:
            request: ``image``, a file; optionally ``device`` and ``min_confidence``, below which a landmark is absent.

        Returns:
            A temporary ``.mrk.json``, which MONAI Label removes, and the reply.

        Raises:
            MONAILabelException: the image is no radiograph that can be read; the message says why.
        """
        image = request.get("image")
        if not isinstance(image, str) or not Path(image).is_file():
            raise MONAILabelException(
                MONAILabelError.INVALID_INPUT, "The image must be a file of the datastore; it is not. Reload the list."
            )
        reply, rows = self.find(
            image, device=request.get("device"), min_confidence=_confidence(request.get("min_confidence", 0.0))
        )
        points = LandmarkSet(
            self.domain.landmarks, np.array([[row["predicted_x"], row["predicted_y"]] for row in rows]), "index"
        )
        with tempfile.NamedTemporaryFile(suffix=LABEL_EXTENSION, delete=False) as file:
            pass
        confidence = [row["confidence"] for row in rows]
        write_label(file.name, points, label_frame(image), confidence=confidence)
        _log.info("Found %d landmarks of domain %s", int(points.present.sum()), self.domain.name)
        return file.name, reply


def _kept_in(samples: list[Mapping[Any, Any]]) -> Callable[[Any], Any]:
    """A transform that keeps its samples and leaves them as they are."""

    def keep(sample: Any) -> Any:
        samples.append(sample)
        return sample

    return keep


def _confidence(value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not 0 <= number <= 1:
        raise MONAILabelException(
            MONAILabelError.INVALID_INPUT, f"min_confidence must be from 0 to 1; got {value!r}. Correct it."
        )
    return number
