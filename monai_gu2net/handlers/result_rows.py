# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Results as a table: one row per case and landmark."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from ignite.engine import Engine, Events

from monai_gu2net.data.domain import Domain
from monai_gu2net.landmarks.coordinates import apply_affine, spatial_affine
from monai_gu2net.metrics import evaluated_samples, radial_error

__all__ = ["ResultRows"]

_AXES = "xyz"


class ResultRows:
    """Collects what an evaluator found, in pixels of the image files.

    A row has ``case``, ``domain``, ``landmark``, ``reference_x``, ``reference_y``, ``predicted_x``, ``predicted_y``
    (pixels of the file, NaN where absent; with ``_z`` in 3-D), ``error`` (NaN: not annotated; inf: annotated, not
    found) in ``unit`` ("mm", or "px" of the file where spacing is unknown), ``spacing_source``, ``confidence``,
    ``image_x``, ``image_y`` (size of the file in pixels) and ``spacing_x``, ``spacing_y`` (mm per pixel of the file,
    NaN where unknown; with ``_z`` in 3-D); where the evaluator's samples have them, also ``spread`` and ``radius`` (in
    ``unit``) and ``presence``.

    Attach it to an evaluator whose batches come from ``RadiographPreprocessing`` and whose postprocessing is
    ``HeatmapsToLandmarksd``.

    Args:
        domains: by name, for the landmarks' names.
    """

    def __init__(self, *, domains: Mapping[str, Domain]) -> None:
        self.domains = domains
        self.rows: list[dict[str, Any]] = []

    def attach(self, engine: Engine) -> None:
        """Attach to the evaluator; the rows of an earlier pass are forgotten when a new one starts."""
        engine.add_event_handler(Events.EPOCH_STARTED, lambda: self.rows.clear())
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._collect)

    def _collect(self, engine: Engine) -> None:
        for sample in evaluated_samples(engine):
            self.rows += _rows(sample, self.domains[sample["domain"]])


def _rows(sample: Mapping[str, Any], domain: Domain) -> list[dict[str, Any]]:
    predicted = torch.as_tensor(sample["pred_landmarks"]).double().cpu()
    reference = sample.get("landmarks")
    reference = torch.full_like(predicted, torch.nan) if reference is None else torch.as_tensor(reference).cpu()
    errors = radial_error(predicted, reference).tolist()
    to_file = torch.linalg.inv(spatial_affine(sample["file_affine"].cpu(), predicted.shape[-1]))
    points = {
        "reference": apply_affine(reference, to_file).tolist(),
        "predicted": apply_affine(predicted, to_file).tolist(),
    }
    # a turned or mirrored affine keeps the lengths of its axes
    lengths = torch.linalg.vector_norm(sample["file_affine"][:-1, : len(_AXES)].cpu().double(), dim=0).tolist()
    of_case = {f"image_{axis}": float(pixels) for axis, pixels in zip("xy", sample["file_size"], strict=False)} | {
        f"spacing_{axis}": length if sample["unit"] == "mm" else math.nan
        for axis, length in zip(_AXES[: predicted.shape[-1]], lengths, strict=False)
    }
    optional = {what: sample[f"pred_{what}"] for what in ("spread", "radius", "presence") if f"pred_{what}" in sample}
    rows = []
    for index, name in enumerate(domain.landmarks):
        row: dict[str, Any] = {"case": sample["case"], "domain": domain.name, "landmark": name}
        for what, values in points.items():
            row |= {f"{what}_{axis}": value for axis, value in zip(_AXES, values[index], strict=False)}
        row |= {
            "error": errors[index],
            "unit": sample["unit"],
            "spacing_source": sample["spacing_source"],
            "confidence": float(sample["pred_confidence"][index]),
            **of_case,
            **{column: float(values[index]) for column, values in optional.items()},
        }
        rows.append(row)
    return rows
