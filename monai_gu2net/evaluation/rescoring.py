# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Errors of stored points under another protocol."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from monai_gu2net.data.domain import ReferenceLength
from monai_gu2net.evaluation.protocol import Grid, Protocol
from monai_gu2net.evaluation.result_table import Rows, in_space, result_table
from monai_gu2net.metrics import radial_error

__all__ = ["rescore"]


def rescore(rows: Rows, protocol: Protocol) -> pd.DataFrame:
    """The table with the errors and units that a protocol gives, without the landmarks it leaves out.

    Points stay in pixels of the image file. Sub-pixel errors in the file's own pixels are what the table holds and stay
    as they are. On any other grid errors are measured anew, ``spacing_source`` says so, and ``radius``, which
    was calibrated in the file's own scale, is NaN.

    Args:
        rows: see :func:`~monai_gu2net.evaluation.result_table`; as evaluated, not rescored before.
        protocol: grids, whole pixels and landmarks left out are used.

    Returns:
        A new table in the same order.

    Raises:
        ValueError: a row breaks its rule or lacks the points, the image's size or the spacing that the protocol needs;
            the message names the case.
    """
    table = result_table(rows)
    columns = {column: table[column].to_numpy(copy=True) for column in ("error", "unit", "spacing_source", "radius")}
    for (domain, _), case in table.groupby(["domain", "case"], sort=False):
        grid = protocol.grid_of(domain)
        if grid != Grid() or protocol.whole_pixels:
            for column, values in zip(columns, _scored(case, grid, protocol.whole_pixels), strict=True):
                columns[column][case.index] = values
    table = table.assign(**{column: pd.Series(values, dtype=values.dtype) for column, values in columns.items()})
    counts = [row.landmark not in protocol.left_out.get(row.domain, ()) for row in table.itertuples()]
    return table[np.array(counts, dtype=bool)].reset_index(drop=True)


def _scored(
    case: pd.DataFrame, grid: Grid, whole_pixels: bool
) -> tuple[NDArray[np.float64], Literal["mm", "px"], str, float]:
    """Errors, unit, spacing source and radius of the rows of one case."""
    first = case.iloc[0]
    where = f"Case {first['case']!r} of domain {first['domain']!r}"
    if in_space(case):
        raise ValueError(f"{where} must be a picture to be scored on a grid; got a volume. Use protocol 'original'.")
    reference, predicted = (
        np.ascontiguousarray(case[[f"{kind}_x", f"{kind}_y"]]) for kind in ("reference", "predicted")
    )
    errors = case["error"].to_numpy()
    has_reference, has_predicted = (~np.isnan(points).any(axis=1) for points in (reference, predicted))
    if (has_reference == np.isnan(errors)).any() or (np.isfinite(errors) & ~has_predicted).any():
        raise ValueError(
            f"{where} must have the reference and predicted points of its errors; got errors without. "
            "Evaluate the model again."
        )
    factor = np.ones(2)
    if grid.size is not None or grid.longest_side is not None:
        image = first[["image_x", "image_y"]].to_numpy(float)
        if not (image > 0).all():
            raise ValueError(f"{where} must have image_x and image_y; got {image.tolist()}. Evaluate the model again.")
        size = np.array(grid.size) if grid.size is not None else np.rint(image * grid.longest_side / image.max())
        factor = size / image
    reference, predicted = reference * factor, predicted * factor
    if whole_pixels:
        reference, predicted = np.rint(reference), np.rint(predicted)
    scale = _mm_per_pixel(case, grid, reference, factor, where)
    unit: Literal["mm", "px"] = "px" if scale is None else "mm"
    per_pixel = np.ones(2) if scale is None else scale
    measured = radial_error(torch.from_numpy(predicted * per_pixel), torch.from_numpy(reference * per_pixel)).numpy()
    described = replace(grid, scale="px") if scale is None else grid  # the case may lack the reference length
    source = first["spacing_source"] if grid.scale == "file" else str(described)
    return measured, unit, source, np.nan


def _mm_per_pixel(
    case: pd.DataFrame, grid: Grid, reference: NDArray[np.float64], factor: NDArray[np.float64], where: str
) -> NDArray[np.float64] | None:
    """Mm per pixel of the grid along both axes; None where it is not known."""
    if grid.scale == "px":
        return None
    if grid.scale == "file":
        spacing = case[["spacing_x", "spacing_y"]].to_numpy()[0]
        if case["unit"].iloc[0] == "px":
            return None
        if not (spacing > 0).all():
            raise ValueError(f"{where} must have spacing_x and spacing_y; got none. Evaluate the model again.")
        return spacing / factor
    if isinstance(grid.scale, ReferenceLength):
        points = dict(zip(case["landmark"], reference, strict=True))
        ends = [points.get(name, np.full(2, np.nan)) for name in (grid.scale.first, grid.scale.second)]
        distance = float(np.linalg.norm(ends[0] - ends[1]))
        return np.full(2, grid.scale.mm / distance) if np.isfinite(distance) and distance > 0 else None
    return np.array(grid.scale)
