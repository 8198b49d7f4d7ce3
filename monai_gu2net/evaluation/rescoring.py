# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Errors of stored points under another protocol."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from monai_gu2net.data.domain import ReferenceLength
from monai_gu2net.evaluation.protocol import Grid, Protocol
from monai_gu2net.evaluation.result_table import checked_rows
from monai_gu2net.metrics import radial_error

__all__ = ["rescore"]

Rows = list[dict[str, Any]]


def rescore(rows: Iterable[Mapping[str, Any]], protocol: Protocol) -> Rows:
    """Result rows with the errors and units that a protocol gives, without the landmarks it leaves out.

    Points stay in pixels of the image file. Sub-pixel errors in the file's own pixels are what the rows hold and stay
    as they are. On any other grid errors are measured anew, ``spacing_source`` says so, and ``radius``, which
    was calibrated in the file's own scale, is NaN.

    Args:
        rows: see :func:`~monai_gu2net.evaluation.checked_rows`; as evaluated, not rescored before.
        protocol: grids, whole pixels and landmarks left out are used.

    Returns:
        New rows in the same order.

    Raises:
        ValueError: a row breaks its rule or lacks the points, the image's size or the spacing that the protocol needs;
            the message names the case.
    """
    checked = checked_rows(rows)
    cases: dict[tuple[str, str], Rows] = {}
    for row in checked:
        cases.setdefault((row["domain"], row["case"]), []).append(row)
    for (domain, _), case in cases.items():
        grid = protocol.grid_of(domain)
        if grid != Grid() or protocol.whole_pixels:
            _score(case, grid, protocol.whole_pixels)
    return [row for row in checked if row["landmark"] not in protocol.left_out.get(row["domain"], ())]


def _score(case: Rows, grid: Grid, whole_pixels: bool) -> None:
    """Replace the errors of one case."""
    where = f"Case {case[0]['case']!r} of domain {case[0]['domain']!r}"
    if any(not np.isnan(row.get(f"{kind}_z", np.nan)) for row in case for kind in ("predicted", "reference")):
        raise ValueError(f"{where} must be a picture to be scored on a grid; got a volume. Use protocol 'original'.")
    reference, predicted = (
        np.array([[row[f"{kind}_x"], row[f"{kind}_y"]] for row in case]) for kind in ("reference", "predicted")
    )
    errors = np.array([row["error"] for row in case])
    has_reference, has_predicted = (~np.isnan(points).any(axis=1) for points in (reference, predicted))
    if (has_reference == np.isnan(errors)).any() or (np.isfinite(errors) & ~has_predicted).any():
        raise ValueError(
            f"{where} must have the reference and predicted points of its errors; got errors without. "
            "Evaluate the model again."
        )
    factor = np.ones(2)
    if grid.size is not None or grid.longest_side is not None:
        image = np.array([case[0]["image_x"], case[0]["image_y"]])
        if not (image > 0).all():
            raise ValueError(f"{where} must have image_x and image_y; got {image.tolist()}. Evaluate the model again.")
        size = np.array(grid.size) if grid.size is not None else np.rint(image * grid.longest_side / image.max())
        factor = size / image
    reference, predicted = reference * factor, predicted * factor
    if whole_pixels:
        reference, predicted = np.rint(reference), np.rint(predicted)
    scale = _mm_per_pixel(case, grid, reference, factor, where)
    unit = "px" if scale is None else "mm"
    per_pixel = np.ones(2) if scale is None else scale
    measured = radial_error(torch.from_numpy(predicted * per_pixel), torch.from_numpy(reference * per_pixel)).tolist()
    described = replace(grid, scale="px") if scale is None else grid  # the case may lack the reference length
    source = case[0]["spacing_source"] if grid.scale == "file" else str(described)
    for row, error in zip(case, measured, strict=True):
        row |= {"error": error, "unit": unit, "spacing_source": source, "radius": np.nan}


def _mm_per_pixel(
    case: Rows, grid: Grid, reference: NDArray[np.float64], factor: NDArray[np.float64], where: str
) -> NDArray[np.float64] | None:
    """Mm per pixel of the grid along both axes; None where it is not known."""
    if grid.scale == "px":
        return None
    if grid.scale == "file":
        spacing = np.array([case[0]["spacing_x"], case[0]["spacing_y"]])
        if case[0]["unit"] == "px":
            return None
        if not (spacing > 0).all():
            raise ValueError(f"{where} must have spacing_x and spacing_y; got none. Evaluate the model again.")
        return spacing / factor
    if isinstance(grid.scale, ReferenceLength):
        points = {row["landmark"]: point for row, point in zip(case, reference, strict=True)}
        ends = [points.get(name, np.full(2, np.nan)) for name in (grid.scale.first, grid.scale.second)]
        distance = float(np.linalg.norm(ends[0] - ends[1]))
        return np.full(2, grid.scale.mm / distance) if np.isfinite(distance) and distance > 0 else None
    return np.array(grid.scale)
