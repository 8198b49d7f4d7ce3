# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures of the worst and the median cases of an evaluation."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from monai_gu2net.data.case_names import file_names
from monai_gu2net.evaluation.coverage import radii_px
from monai_gu2net.report.document import Cases, Picture
from monai_gu2net.transforms.load import LoadRadiographd
from monai_gu2net.visualize.overlay import draw_landmarks
from monai_gu2net.visualize.pictures import contact_sheet, save_picture

__all__ = ["Case", "Rows", "write_case_pictures"]

Case = tuple[str, str]
Rows = list[dict[str, Any]]


def write_case_pictures(
    folder: Path, groups: Mapping[Case, Rows], images: Mapping[Case, str | os.PathLike[str]], worst: int
) -> Cases | None:
    """Draw chosen cases, one by one under ``overlays/`` and together in ``overlays.png``.

    Args:
        folder: the report's.
        groups: the rows of each domain and unit. Of a group without annotated landmarks the first cases are
            drawn; volumes are not.
        images: (domain, case) -> image file. A case without one, or whose file cannot be read, has no
            picture, and its text says so.
        worst: number of worst cases of each group, beside the median; 0: no case at all.

    Returns:
        The texts and paths of the pictures; None where there is no case to draw.
    """
    chosen = [
        (kind, case, error, group) for group, rows in groups.items() for kind, case, error in _choose(rows, worst)
    ]
    if not chosen:
        return None
    names = file_names({_case(rows): _case(rows) for _, rows, _, _ in chosen})
    load = LoadRadiographd("image")
    entries: list[tuple[str, str | None]] = []
    pictures = []
    for kind, rows, error, group in chosen:
        (domain, case), unit = _case(rows), group[1]
        # the landmark's number in the domain's table, whichever landmarks this case has
        numbers = {name: n for n, name in enumerate(dict.fromkeys(row["landmark"] for row in groups[group]), start=1)}
        told = f", mean error {error:.2f} {unit}" if math.isfinite(error) else ", not all found"
        title = f"{domain} {case}: {kind}{'' if math.isnan(error) else told}"
        try:
            image = _plane(load, images, (domain, case))
        except (OSError, ValueError, RuntimeError) as problem:  # readers of other libraries raise all of these
            entries.append((f"{title}. No picture: {problem}", None))
            continue
        path = f"overlays/{names[domain, case]}.png"
        save_picture(_draw(image, rows, numbers, title, 1200), folder / path)
        pictures.append(_draw(image, rows, numbers, title, 560))
        entries.append((title, path))
    if not pictures:
        return Cases(entries)
    save_picture(contact_sheet(pictures, columns=4), folder / "overlays.png")
    return Cases(entries, Picture("overlays.png", "Predicted and reference landmarks"))


def _choose(rows: Rows, worst: int) -> list[tuple[str, Rows, float]]:
    """Kind, rows and mean error (NaN: none annotated) of the worst cases, the worst first, and the median."""
    if worst < 1:
        return []
    cases: dict[str, Rows] = {}
    for row in rows:
        cases.setdefault(row["case"], []).append(row)
    flat = [case for case in cases.values() if not any(math.isfinite(row.get("predicted_z", math.nan)) for row in case)]
    means = []
    for case in flat:
        errors = [row["error"] for row in case if not math.isnan(row["error"])]
        means.append((sum(errors) / len(errors) if errors else math.nan, case))
    ranked = sorted((entry for entry in means if not math.isnan(entry[0])), key=lambda entry: -entry[0])
    if not ranked:
        return [("no reference", case, math.nan) for _, case in means[:worst]]
    chosen = [(f"worst {place}", case, error) for place, (error, case) in enumerate(ranked[:worst], start=1)]
    middle = len(ranked) // 2
    return chosen if middle < worst else [*chosen, ("median", ranked[middle][1], ranked[middle][0])]


def _plane(load: LoadRadiographd, images: Mapping[Case, str | os.PathLike[str]], case: Case) -> Tensor:
    """The first channel, (W, H)."""
    if case not in images:
        raise ValueError("the case has no image file")
    image = load({"image": images[case]})["image"]
    if image.ndim != 3:
        raise ValueError("the image is a volume")
    plane: Tensor = image[0]
    return plane


def _draw(image: Tensor, rows: Rows, numbers: Mapping[str, int], title: str, longest_side: int) -> NDArray[np.uint8]:
    points = {kind: [[row[f"{kind}_x"], row[f"{kind}_y"]] for row in rows] for kind in ("predicted", "reference")}
    return draw_landmarks(
        image,
        predicted=points["predicted"],
        reference=points["reference"],
        names=[str(numbers[row["landmark"]]) for row in rows],
        radius=radii_px(rows),
        title=title,
        longest_side=longest_side,
    )


def _case(rows: Rows) -> Case:
    return rows[0]["domain"], rows[0]["case"]
