# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Scores: how unsure the model is of an image, and how far an annotator moved what it found."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from monailabel.interfaces.datastore import Datastore
from monailabel.interfaces.tasks.scoring import ScoringMethod

from monai_gu2net.data import Domain
from monai_gu2net.label_app.infer import LandmarkInferTask, words_of
from monai_gu2net.label_app.label_frame import label_frame
from monai_gu2net.label_app.labels import check_label
from monai_gu2net.transforms import Found

__all__ = ["UNCERTAINTY", "CorrectionScore", "UncertaintyScore"]

UNCERTAINTY = "epistemic_entropy"
"""Where MONAI Label's own strategy Epistemic looks for the score of an image."""
_log = logging.getLogger(__name__)


class UncertaintyScore(ScoringMethod):
    """Notes of each image without a label how unsure the model is of its landmarks.

    The score is the mean over the landmarks of the radius that holds them at 90 percent, as a share of the image's
    diagonal; of a model that is not calibrated, one minus the mean confidence. Higher is less sure. Scores of one pass
    compare; those of different models or domains need not.

    Args:
        tasks: by domain.
    """

    def __init__(self, tasks: Mapping[str, LandmarkInferTask]) -> None:
        super().__init__("How unsure the model is of the landmarks of each image without a label")
        self.tasks = dict(tasks)

    def __call__(self, request: Mapping[str, Any], datastore: Datastore) -> dict[str, Any]:
        """Score the images.

        Args:
            request: ``domain`` of the images; without it an image is of the domain of its pre-label, or of the app's
                only one.
            datastore: of the app.

        Returns:
            ``scores`` by image, and ``failed``, the reason by image.
        """
        scores: dict[str, float] = {}
        failed: dict[str, str] = {}
        for image in sorted(datastore.get_unlabeled_images()):
            try:
                found, _ = self._task(image, request, datastore).find(
                    datastore.get_image_uri(image), device=request.get("device")
                )
            except Exception as error:  # whatever it is, the other images go on
                failed[image] = words_of(error)
                continue
            scores[image] = _uncertainty(found)
            datastore.update_image_info(image, {UNCERTAINTY: scores[image]})
        _log.info("Scored %d images by uncertainty; %d failed", len(scores), len(failed))
        return {"scores": scores, "failed": failed}

    def _task(self, image: str, request: Mapping[str, Any], datastore: Datastore) -> LandmarkInferTask:
        domain = request.get("domain") or datastore.get_label_info(image, "original").get("domain")
        names = list(self.tasks)
        if not domain and len(names) == 1:
            domain = names[0]
        if domain not in names:
            raise ValueError(f"its domain must be known, of {names}; pre-label it, or name the domain")
        return self.tasks[domain]


class CorrectionScore(ScoringMethod):
    """Notes of each labelled image the radial error of its pre-label, with the label as the truth.

    It is in mm where the file states its spacing, else in pixels of the file. Landmarks that one of the two lacks have
    no distance and are counted instead.

    Args:
        domains: by name.
    """

    def __init__(self, domains: Mapping[str, Domain]) -> None:
        super().__init__("Radial error of each pre-label, with the corrected label as the truth")
        self.domains = dict(domains)

    def __call__(self, request: Mapping[str, Any], datastore: Datastore) -> dict[str, Any]:
        """Score the images that have both labels.

        Returns:
            ``scores`` by image: ``mre`` in ``unit`` over ``landmarks`` landmarks (None without any), ``worst`` of them,
            ``added`` and ``removed`` ones, ``domain``; ``mean``, by unit, of all landmarks; and ``failed``, the reason
            by image.
        """
        scores: dict[str, dict[str, Any]] = {}
        failed: dict[str, str] = {}
        pooled: dict[str, list[float]] = {}
        for image in sorted(datastore.get_labeled_images()):
            if "original" not in datastore.get_labels_by_image_id(image):
                continue
            try:
                score, distances = self._score(image, datastore)
            except Exception as error:  # whatever it is, the other images go on
                failed[image] = words_of(error)
                continue
            scores[image] = score
            pooled.setdefault(score["unit"], []).extend(distances)
            datastore.update_label_info(image, "final", {"radial_error": score})
        mean = {unit: float(np.mean(values)) for unit, values in pooled.items() if values}
        _log.info("Scored %d corrections; mean radial error %s; %d failed", len(scores), mean, len(failed))
        return {"scores": scores, "mean": mean, "failed": failed}

    def _score(self, image: str, datastore: Datastore) -> tuple[dict[str, Any], list[float]]:
        path = datastore.get_image_uri(image)
        points = {}
        domain = datastore.get_label_info(image, "final").get("domain")
        for tag in ("final", "original"):
            label = datastore.get_label_uri(image, tag)
            domain, found = check_label(
                label, path, domains=self.domains, domain=domain, allow_outside=True, called=repr(image)
            )
            points[tag] = found
        frame = label_frame(path)
        mm = {tag: each.to_mm(frame.image_affine).points for tag, each in points.items()}
        distances = np.linalg.norm(mm["final"] - mm["original"], axis=1)
        measured = distances[~np.isnan(distances)]
        set_now, found_then = points["final"].present, points["original"].present
        return {
            "mre": float(measured.mean()) if len(measured) else None,
            "worst": float(measured.max()) if len(measured) else None,
            "unit": frame.image_unit,
            "landmarks": len(measured),
            "added": int((set_now & ~found_then).sum()),
            "removed": int((found_then & ~set_now).sum()),
            "domain": domain,
        }, measured.tolist()


def _uncertainty(found: Found) -> float:
    """The score of an image from what was found in it."""
    if found.radius is None:
        return 1.0 - float(found.confidence.mean())
    radii = found.radius[np.isfinite(found.radius)]
    diagonal = math.hypot(*np.multiply(found.size, found.spacing))  # in the unit of the radius
    return float(radii.mean()) / diagonal if len(radii) else 1.0
