# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Results as a table: one row per case and landmark."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from monai_gu2net.landmarks.coordinates import world_to_lps
from monai_gu2net.metrics import radial_error
from monai_gu2net.transforms.found import Found, points_in_file

__all__ = ["result_rows", "warn_of_pixels"]

_log = logging.getLogger(__name__)
_AXES = "xyz"


def result_rows(found: Found, reference: Any = None) -> list[dict[str, Any]]:
    """A row for each landmark of an image.

    Args:
        found: in the image.
        reference: (N, D) in the world of the image, as ``found.points``, NaN where not annotated; None: nothing is.

    Returns:
        Rows with ``case``, ``domain``, ``landmark``, ``reference_x``, ``reference_y``, ``predicted_x``,
        ``predicted_y`` (pixels of the file, NaN where absent; with ``_z`` in 3-D), ``error`` (NaN: not annotated; inf:
        annotated, not found) in ``unit`` ("mm", or "px" of the file where the scale is unknown), ``spacing_source``,
        ``domain_doubt``, ``confidence``, ``image_x``, ``image_y`` (size of the file in pixels) and ``spacing_x``,
        ``spacing_y`` (mm per pixel of the file, NaN where unknown; with ``_z`` in 3-D); of a volume in mm the points in
        the patient's frame, ``reference_x_lps_mm`` and so on; where they are known, also ``spread`` and ``radius`` (in
        ``unit``) and ``presence``.
    """
    predicted = torch.from_numpy(found.points)
    truth = torch.full_like(predicted, torch.nan) if reference is None else torch.as_tensor(reference).cpu()
    errors = radial_error(predicted, truth).tolist()
    points = {
        "reference": points_in_file(truth, found.affine).tolist(),
        "predicted": found.points_index.tolist(),
    }
    in_patient = {"reference": world_to_lps(truth).tolist(), "predicted": found.lps.tolist()}
    if found.dims != 3 or found.unit != "mm":
        in_patient = {}
    of_case = {f"image_{axis}": float(pixels) for axis, pixels in zip(_AXES, found.size, strict=False)} | {
        f"spacing_{axis}": length if found.unit == "mm" else math.nan
        for axis, length in zip(_AXES, found.spacing, strict=False)
    }
    optional = {"spread": found.spread, "radius": found.radius, "presence": found.presence}
    rows = []
    for index, name in enumerate(found.names):
        row: dict[str, Any] = {"case": found.case, "domain": found.domain.name, "landmark": name}
        for what, values in points.items():
            row |= {f"{what}_{axis}": value for axis, value in zip(_AXES, values[index], strict=False)}
        for what, values in in_patient.items():
            row |= {f"{what}_{axis}_lps_mm": value for axis, value in zip(_AXES, values[index], strict=True)}
        row |= {
            "error": errors[index],
            "unit": found.unit,
            "spacing_source": found.spacing_source,
            "domain_doubt": found.domain_doubt,
            "confidence": float(found.confidence[index]),
            **of_case,
            **{column: float(numbers[index]) for column, numbers in optional.items() if numbers is not None},
        }
        rows.append(row)
    return rows


def warn_of_pixels(rows: Sequence[Mapping[str, Any]]) -> None:
    """One warning for a run, where the results of some of its images are in pixels."""
    sources = {(row["domain"], row["case"]): row["spacing_source"] for row in rows if row["unit"] == "px"}
    if sources:
        refused = ", ".join(sorted(set(sources.values()) - {"none"}))
        _log.warning(
            "The spacing of %d image(s) is not known%s; their results are in pixels of the file",
            len(sources),
            f" or not accepted ({refused})" if refused else "",
        )
