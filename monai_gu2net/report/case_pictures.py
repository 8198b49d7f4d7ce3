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
import pandas as pd
from monai.data import MetaTensor
from numpy.typing import NDArray

from monai_gu2net.data.case_names import file_names
from monai_gu2net.evaluation.coverage import radii_px
from monai_gu2net.evaluation.result_table import in_space
from monai_gu2net.report.document import Cases, Picture
from monai_gu2net.transforms.load import LoadRadiographd
from monai_gu2net.transforms.resolve_spacing import world_affine
from monai_gu2net.visualize.overlay import draw_landmarks
from monai_gu2net.visualize.pictures import contact_sheet, save_picture
from monai_gu2net.visualize.volume_overlay import draw_volume_landmarks

__all__ = ["Case", "write_case_pictures"]

Case = tuple[str, str]
"""Domain and name."""


def write_case_pictures(
    folder: Path, table: pd.DataFrame, images: Mapping[Case, str | os.PathLike[str]], worst: int
) -> Cases | None:
    """Draw chosen cases, one by one under ``overlays/`` and together in ``overlays.png``.

    Args:
        folder: the report's.
        table: of results. Of a domain and unit without annotated landmarks the first cases are drawn. A volume is drawn
            as a page, see :func:`~monai_gu2net.visualize.draw_volume_landmarks`.
        images: (domain, case) -> image file. A case without one, or whose file cannot be read, has no
            picture, and its text says so.
        worst: number of worst cases of each domain and unit, beside the median; 0: no case at all.

    Returns:
        The texts and paths of the pictures; None where there is no case to draw.
    """
    chosen = [
        (kind, rows, error, {name: number for number, name in enumerate(group["landmark"].unique(), start=1)})
        for _, group in table.groupby(["domain", "unit"], sort=False)
        for kind, rows, error in _choose(group, worst)
    ]
    if not chosen:
        return None
    names = file_names({_case(rows): _case(rows) for _, rows, _, _ in chosen})
    load = LoadRadiographd("image")
    entries: list[tuple[str, str | None]] = []
    pictures = []
    for kind, rows, error, numbers in chosen:  # the landmark's number is that in the domain's table
        domain, case = _case(rows)
        mean = f", mean error {error:.2f} {rows['unit'].iloc[0]}" if math.isfinite(error) else ", not all found"
        title = f"{domain} {case}: {kind}{'' if math.isnan(error) else mean}"
        try:
            image = _image(load, images, (domain, case), rows)
        except (OSError, ValueError, RuntimeError) as problem:  # readers of other libraries raise all of these
            entries.append((f"{title}. No picture: {problem}", None))
            continue
        path = f"overlays/{names[domain, case]}.png"
        save_picture(_draw(image, rows, numbers, title), folder / path)
        pictures.append(_draw(image, rows, numbers, title, small=True))
        entries.append((title, path))
    if not pictures:
        return Cases(entries)
    save_picture(contact_sheet(pictures, columns=4), folder / "overlays.png")
    return Cases(entries, Picture("overlays.png", "Predicted and reference landmarks"))


def _choose(group: pd.DataFrame, worst: int) -> list[tuple[str, pd.DataFrame, float]]:
    """Kind, rows and mean error (NaN: none annotated) of the worst cases, the worst first, and the median."""
    cases = [rows for _, rows in group.groupby("case", sort=False)] if worst > 0 else []
    annotated = [(rows["error"].dropna().tolist(), rows) for rows in cases]
    ranked = [(sum(errors) / len(errors), rows) for errors, rows in annotated if errors]
    ranked.sort(key=lambda entry: -entry[0])
    if not ranked:
        return [("no reference", rows, math.nan) for rows in cases[: max(worst, 0)]]
    chosen = [(f"worst {place}", rows, error) for place, (error, rows) in enumerate(ranked[:worst], start=1)]
    middle = len(ranked) // 2
    return chosen if middle < worst else [*chosen, ("median", ranked[middle][1], ranked[middle][0])]


def _image(load: LoadRadiographd, images: Mapping[Case, str | os.PathLike[str]], case: Case, rows: Any) -> MetaTensor:
    """(C, *spatial) as its file has it, with as many axes as the rows' points."""
    if case not in images:
        raise ValueError("the case has no image file")
    image: MetaTensor = load({"image": images[case]})["image"]
    if image.ndim - 1 != (3 if in_space(rows) else 2):
        raise ValueError(f"the image is a {'picture' if image.ndim == 3 else 'volume'} now, and its points are not")
    return image


def _draw(
    image: MetaTensor, rows: pd.DataFrame, numbers: Mapping[str, int], title: str, *, small: bool = False
) -> NDArray[np.uint8]:
    axes = "xyz"[: image.ndim - 1]
    what: dict[str, Any] = {
        "predicted": rows[[f"predicted_{axis}" for axis in axes]].to_numpy(),
        "reference": rows[[f"reference_{axis}" for axis in axes]].to_numpy(),
        "radius": radii_px(rows),
        "title": title,
    }
    if len(axes) == 2:
        shown = [str(numbers[name]) for name in rows["landmark"]]
        return draw_landmarks(image[0], names=shown, longest_side=560 if small else 1200, **what)
    spacing = rows[[f"spacing_{axis}" for axis in axes]].iloc[0].tolist() if rows["unit"].iloc[0] == "mm" else None
    affine = None if spacing is None else world_affine(image, spacing, of_file=False).numpy()
    names = list(rows["landmark"])
    page: dict[str, Any] = {"most": 4, "columns": 1, "panel": 180} if small else {"most": 6}  # as high as wide
    return draw_volume_landmarks(
        image, affine=affine, names=names, numbers=[numbers[name] for name in names], **what, **page
    )


def _case(rows: pd.DataFrame) -> Case:
    return rows["domain"].iloc[0], rows["case"].iloc[0]
