# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Finding landmarks in images without ground truth."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch

from monai_gu2net.data.datalist import Datalist
from monai_gu2net.engines.calibrated_radius import calibrations_of
from monai_gu2net.engines.model_cases import Checkpoints, checkpoint_paths
from monai_gu2net.engines.run_cases import run_cases
from monai_gu2net.networks.ensemble import load_ensemble
from monai_gu2net.transforms import LoadRadiographd, SaveLandmarksd, ScaleByPredictiond
from monai_gu2net.transforms.save import FORMATS, file_name
from monai_gu2net.visualize import draw_landmarks, radii_px, save_picture, write_rows

__all__ = ["predict_images"]


def predict_images(
    checkpoint: Checkpoints,
    images: Sequence[str | os.PathLike[str]],
    *,
    output_dir: str | os.PathLike[str],
    domain: str | None = None,
    spacing: Sequence[float] | None = None,
    min_confidence: float = 0.0,
    views: int = 1,
    formats: Sequence[str] = FORMATS,
    device: str | torch.device = "cpu",
    on_case: Callable[[int], None] = lambda count: None,
) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """Predict the landmarks of images; write a file per image and format, an overlay PNG, and one table.

    An image that cannot be read is left out and listed; the others go on.

    Args:
        checkpoint: a trained model, or several whose heatmaps are averaged.
        images: image files of one domain.
        output_dir: where ``CASE.json``, ``CASE.csv``, ``CASE.mrk.json``, ``CASE.png`` and ``landmarks.csv`` go.
        domain: which of the model's domains; a model of one domain needs none.
        spacing: mm per pixel of the images; by default what the domain or the file tells, else pixels are the unit.
        min_confidence: landmarks below it are called absent.
        views: of each image that the heatmaps are averaged over, see :class:`~monai_gu2net.inferers.AveragingInferer`.
        formats: among "json", "csv" and "mrk.json".
        device: where the network runs.
        on_case: called with the number of images done, after each.

    Returns:
        Result rows and failures, as :func:`~monai_gu2net.engines.run_cases`.

    Raises:
        ValueError: the domain is not one of the model's.
    """
    paths = checkpoint_paths(checkpoint)
    network, card = load_ensemble(paths, map_location=device)
    if domain is None and len(card.domains) == 1:
        domain = next(iter(card.domains))
    if domain not in card.domains:
        raise ValueError(f"domain must be among the model's {list(card.domains)}; got {domain!r}. Name the right one.")
    sources = [Path(image) for image in images]
    stems = [path.name.split(".")[0] for path in sources]
    cases = [
        {"image": str(path), "domain": domain, "case": stem if stems.count(stem) == 1 else path.name}
        | ({} if spacing is None else {"spacing": list(spacing)})
        for path, stem in zip(sources, stems, strict=True)
    ]
    checked = Datalist("prediction", {domain: card.domains[domain]}, test=cases).test
    folder = Path(output_dir)
    domains = card.domains
    rows, failures = run_cases(
        network,
        card,
        checked,
        device=device,
        min_confidence=min_confidence,
        views=views,
        calibrations=calibrations_of(card, views=views, members=len(paths)),
        then=[
            ScaleByPredictiond("pred", domains=domains),
            SaveLandmarksd("pred", output_dir=folder, domains=domains, formats=formats),
        ],
        on_case=on_case,
    )
    files = {case["case"]: case["image"] for case in checked}
    for name, group in groupby(rows, key=lambda row: row["case"]):
        _draw(files[name], list(group), folder / f"{file_name(name)}.png")
    write_rows(folder / "landmarks.csv", rows)
    return rows, failures


def _draw(image: str, rows: Sequence[dict[str, Any]], path: Path) -> None:
    if "predicted_z" in rows[0]:
        return  # a volume has no one picture
    points = np.array([[row["predicted_x"], row["predicted_y"]] for row in rows])
    pixels = LoadRadiographd("image")({"image": image})["image"].as_tensor().numpy()
    picture = draw_landmarks(
        pixels,
        predicted=points,
        names=[row["landmark"] for row in rows],
        confidence=np.array([row["confidence"] for row in rows]),
        radius=radii_px(rows),
        title=rows[0]["case"],
    )
    save_picture(picture, path)
