# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The task that finds the landmarks of an image, for a viewer and for a program."""

from __future__ import annotations

import logging
import math
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from monailabel.interfaces.exception import MONAILabelError, MONAILabelException
from monailabel.interfaces.tasks.infer_v2 import InferTask, InferType
from monailabel.utils.others.generic import name_to_device

from monai_gu2net.data import Domain
from monai_gu2net.data.first_error import reason_of
from monai_gu2net.label_app.label_frame import label_frame
from monai_gu2net.label_app.labels import write_label
from monai_gu2net.label_app.weights import AppWeights
from monai_gu2net.landmarks.formats import MARKUPS_EXTENSION
from monai_gu2net.transforms import Found

__all__ = ["LandmarkInferTask", "words_of"]

_log = logging.getLogger(__name__)


class LandmarkInferTask(InferTask):
    """Finds the landmarks of one domain in an image.

    The result is a point list of Slicer, in the frame of the image file
    (:class:`~monai_gu2net.label_app.label_frame.LabelFrame`), where landmarks that were not found are undefined; and
    :meth:`~monai_gu2net.transforms.Found.to_dict`.

    The whole way is that of :class:`~monai_gu2net.prediction.Predictor`, so that a viewer gets what ``predict`` writes;
    of MONAI Label's own chain of transforms, inferer and writer nothing would be left.

    Args:
        weights: of the app.
        domain: to find.
    """

    def __init__(self, weights: AppWeights, domain: Domain) -> None:
        super().__init__(
            type=InferType.DETECTION,  # what Slicer shows of a detection is a point list
            labels=list(domain.landmarks),
            dimension=domain.dims,
            description=f"Landmarks of the domain {domain.name!r}, by GU2Net",
            config={"device": [name_to_device(None)], "domain": domain.name, "min_confidence": 0.0},
        )
        self.weights, self.domain = weights, domain

    def is_valid(self) -> bool:
        """Whether there are weights."""
        return self.weights.path.is_file()

    def get_path(self, validate: bool = True) -> str | None:
        """The file of the weights."""
        return str(self.weights.path) if not validate or self.is_valid() else None

    def find(
        self, image: str, *, device: str | None = None, min_confidence: float = 0.0
    ) -> tuple[Found, dict[str, str]]:
        """The landmarks of an image file.

        Returns:
            What is found, and the name and version of the model that found it.

        Raises:
            MONAILabelException: the image cannot be read, or the domain has left the model.
        """
        predictor = self.weights.predictor(name_to_device(device)).with_options(min_confidence=min_confidence)
        try:
            return predictor.predict(image, self.domain.name), predictor.model
        except Exception as error:
            reason = reason_of(error)
            _log.warning("%s left out: %s", Path(image).name, reason)
            raise MONAILabelException(MONAILabelError.INFERENCE_ERROR, reason) from error

    def __call__(self, request: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """Answer a request.

        Args:
            request: ``image``, a file or a folder with a DICOM series; optionally ``device`` and ``min_confidence``,
                below which a landmark is absent.

        Returns:
            A temporary ``.mrk.json``, which MONAI Label removes, and what was found as JSON has it.

        Raises:
            MONAILabelException: the image cannot be read, or is not of the domain's kind; the message says why.
        """
        image = request.get("image")
        if not isinstance(image, str) or not image or not Path(image).exists():
            raise MONAILabelException(
                MONAILabelError.INVALID_INPUT, "The image must be a file of the datastore; it is not. Reload the list."
            )
        found, model = self.find(
            image, device=request.get("device"), min_confidence=_confidence(request.get("min_confidence", 0.0))
        )
        with tempfile.NamedTemporaryFile(suffix=MARKUPS_EXTENSION, delete=False) as file:
            pass
        write_label(file.name, found.landmarks, label_frame(image), confidence=found.confidence)
        _log.info("Found %d landmarks of domain %s", int(found.landmarks.present.sum()), self.domain.name)
        return file.name, found.to_dict(model=model)


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


def words_of(error: Exception) -> str:
    """What an error says; those of MONAI Label have it in ``msg``."""
    said = error.msg if isinstance(error, MONAILabelException) else str(error)
    return said or type(error).__name__
