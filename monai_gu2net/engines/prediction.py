# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Finding landmarks in images without ground truth."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch

from monai_gu2net.data.case_names import case_names
from monai_gu2net.data.datalist import Datalist
from monai_gu2net.dicom import is_dicom, read_header
from monai_gu2net.dicom.secondary_capture import write_secondary_capture
from monai_gu2net.dicom.study_object import require_writers
from monai_gu2net.engines.calibrated_radius import calibrations_of
from monai_gu2net.engines.model_cases import Checkpoints, checkpoint_paths
from monai_gu2net.engines.model_identity import model_identity
from monai_gu2net.engines.run_cases import run_cases, warn_of_pixels
from monai_gu2net.engines.tolerant_saving import TolerantSaving
from monai_gu2net.evaluation import measure_rows, radii_px, write_measurements, write_rows
from monai_gu2net.files import results_of_one_run, writable_folder
from monai_gu2net.landmarks.formats.coco_json import write_coco
from monai_gu2net.networks.ensemble import load_ensemble
from monai_gu2net.transforms import LoadRadiographd, SaveLandmarksd, ScaleByPredictiond
from monai_gu2net.transforms.file_names import case_part
from monai_gu2net.transforms.save import ALL_FORMATS, FORMATS, TABLES
from monai_gu2net.transforms.save_coco import CollectCocod
from monai_gu2net.visualize import draw_landmarks, save_picture

__all__ = ["PREDICTION_FORMATS", "Predictor", "predict_images"]

PREDICTION_FORMATS = (*ALL_FORMATS, "sc", "coco")
"""Every format that a prediction can be written in."""


def predict_images(
    checkpoint: Checkpoints,
    images: Sequence[str | os.PathLike[str]],
    *,
    output_dir: str | os.PathLike[str],
    domain: str | None = None,
    spacing: Sequence[float] | None = None,
    accept_spacing_source: Sequence[str] | None = None,
    min_confidence: float = 0.0,
    views: int = 1,
    formats: Sequence[str] = FORMATS,
    device: str | torch.device = "cpu",
    on_case: Callable[[int], None] = lambda count: None,
) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """Predict the landmarks of images; write a file per image and format, an overlay PNG, and one table.

    An image that cannot be read, or fails later, is left out and listed; the others go on.

    Args:
        checkpoint: a trained model, or several whose heatmaps are averaged.
        images: image files of one domain.
        output_dir: where ``CASE.json``, ``CASE.csv``, ``CASE.mrk.json``, ``CASE.png``, ``landmarks.csv``
            and, where the domain has measurements, ``measurements.csv`` go. What an earlier prediction wrote there
            of the same cases, and its tables, is removed, see :func:`~monai_gu2net.files.results_of_one_run`.
        domain: which of the model's domains; a model of one domain needs none.
        spacing: mm per pixel of the images; by default what each file tells, or the domain's reference length, else
            pixels are the unit. The spacing of the images that the model was trained on says nothing of others.
        accept_spacing_source: what the source of a spacing must begin with, such as "detector"; with another one
            results are in pixels, see :func:`~monai_gu2net.data.case_spacing`. None: any will do.
        min_confidence: landmarks below it are called absent.
        views: of each image that the heatmaps are averaged over, see :class:`~monai_gu2net.inferers.AveragingInferer`.
        formats: among "json", "csv", "mrk.json", "sr" and "gsps", see
            :class:`~monai_gu2net.transforms.SaveLandmarksd`; "sc", the overlay of a DICOM image as ``CASE.sc.dcm``; and
            "coco", one ``coco.json`` of all images.
        device: where the network runs.
        on_case: called with the number of images done, after each.

    Returns:
        Result rows and failures, as :func:`~monai_gu2net.engines.run_cases`.

    Raises:
        ValueError: the domain is not one of the model's, or an overlay would replace an image.
        OSError: the folder does not take files.
    """
    predictor = Predictor(checkpoint, min_confidence=min_confidence, views=views, device=device)
    return predictor.predict(
        images,
        output_dir=output_dir,
        domain=domain,
        spacing=spacing,
        accept_spacing_source=accept_spacing_source,
        formats=formats,
        on_case=on_case,
    )


class Predictor:
    """A trained model that is loaded once and predicts images as they come.

    Args:
        checkpoint: see :func:`predict_images`, as are the others.
        min_confidence: landmarks below it are called absent.
        views: of each image that the heatmaps are averaged over.
        device: where the network runs.
    """

    def __init__(
        self,
        checkpoint: Checkpoints,
        *,
        min_confidence: float = 0.0,
        views: int = 1,
        device: str | torch.device = "cpu",
    ) -> None:
        paths = checkpoint_paths(checkpoint)
        self.network, self.card = load_ensemble(paths, map_location=device)
        self.min_confidence, self.views, self.device = min_confidence, views, device
        self.calibrations = calibrations_of(self.card, views=views, members=len(paths))
        self.model = model_identity(self.card, paths)

    def predict(
        self,
        images: Sequence[str | os.PathLike[str]],
        *,
        output_dir: str | os.PathLike[str],
        domain: str | None = None,
        spacing: Sequence[float] | None = None,
        accept_spacing_source: Sequence[str] | None = None,
        formats: Sequence[str] = FORMATS,
        overlays: bool = True,
        sop_instance_uids: Mapping[str, str] | None = None,
        tolerant: bool = True,
        on_case: Callable[[int], None] = lambda count: None,
    ) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
        """Predict the landmarks of images, as :func:`predict_images`, where the arguments are described.

        Args:
            images: of one domain.
            output_dir: where the files go.
            domain: which of the model's.
            spacing: mm per pixel.
            accept_spacing_source: of the images.
            formats: of the files.
            overlays: whether ``CASE.png`` is drawn.
            sop_instance_uids: of the DICOM objects ("sr", "text", "gsps", "sc"), for a single image; by default they
                follow from image and result.
            tolerant: see :func:`~monai_gu2net.engines.run_cases`.
            on_case: called after each.

        Returns:
            Result rows and failures.

        Raises:
            ValueError: the domain is not one of the model's, or an overlay would replace an image.
        """
        domains = self.card.domains_for_new_images
        if domain is None and len(domains) == 1:
            domain = next(iter(domains))
        if domain not in domains:
            raise ValueError(
                f"The domain must be one of the model's {list(domains)}; got {domain!r}. Name it (--domain)."
            )
        sources = [Path(image) for image in images]
        cases = [
            {"image": str(path), "domain": domain, "case": name}
            for path, name in zip(sources, case_names(sources), strict=True)
        ]
        checked = Datalist("prediction", {domain: domains[domain]}, test=cases).test
        folder = Path(output_dir)
        if "sc" in formats:
            require_writers()
        save = SaveLandmarksd(
            "pred",
            output_dir=folder,
            domains=domains,
            formats=[name for name in formats if name not in ("sc", "coco")],
            model=self.model,
            sop_instance_uids=sop_instance_uids,
        )
        stems = {name: save.names((domain, name)) for name in case_names(sources)}
        pictures = {name: folder / f"{stem}.png" for name, stem in stems.items()}
        given = {os.path.realpath(path) for path in sources}
        replaced = [path.name for path in pictures.values() if overlays and os.path.realpath(path) in given]
        if replaced:
            raise ValueError(
                f"An overlay must not replace the image that it is of; {replaced[0]} in output_dir "
                f"{str(output_dir)!r} would. Name another folder."
            )
        writable_folder(folder)
        saving, coco = TolerantSaving(save, tolerant=tolerant), CollectCocod("pred", domains=domains)
        files = {case["case"]: case["image"] for case in checked}
        captured = "sc" in formats
        captures = (sop_instance_uids or {}).get("sc")

        def draw(sample: Mapping[str, Any]) -> None:
            name = sample["case"]
            picture = _drawn(files[name], sample["rows"])
            if picture is None:
                return
            if overlays:
                save_picture(picture, pictures[name])
            if captured and is_dicom(Path(files[name])):
                self._capture(picture, files[name], folder / f"{stems[name]}.sc.dcm", captures)

        drawing = TolerantSaving(draw, tolerant=tolerant)
        own = {*stems.values(), *TABLES}
        with results_of_one_run(folder, kind="prediction", answers_for=lambda name: case_part(name) in own):
            rows, failures = run_cases(
                self.network,
                replace(self.card, domains=domains),
                checked,
                device=self.device,
                min_confidence=self.min_confidence,
                views=self.views,
                calibrations=self.calibrations,
                spacing=spacing,
                accept_spacing_source=accept_spacing_source,
                then=[
                    ScaleByPredictiond("pred", domains=domains, accept_spacing_source=accept_spacing_source),
                    saving,
                    coco,
                ],
                tolerant=tolerant,
                on_case=on_case,
            )
            for name, group in groupby(rows, key=lambda row: row["case"]) if overlays or captured else ():
                drawing({"case": name, "domain": domain, "rows": list(group)})
            failures += saving.failures + drawing.failures
            write_rows(folder / "landmarks.csv", rows)
            if "coco" in formats:
                write_coco(folder / "coco.json", coco.images)
            measured = measure_rows(rows, {name: each.all_measurements for name, each in domains.items()})
            if not measured.empty:
                write_measurements(folder / "measurements.csv", measured)
        warn_of_pixels(rows)
        return rows, failures

    def _capture(self, picture: np.ndarray, image: str, path: Path, uid: str | None) -> None:
        """Write an overlay as a secondary capture."""
        write_secondary_capture(
            path,
            picture,
            header=read_header(image),
            model=self.model["name"],
            model_version=self.model["version"],
            sop_instance_uid=uid,
        )


def _drawn(image: str, rows: Sequence[dict[str, Any]]) -> np.ndarray | None:
    """The overlay of an image."""
    if "predicted_z" in rows[0]:
        return None  # a volume has no one picture
    points = np.array([[row["predicted_x"], row["predicted_y"]] for row in rows])
    pixels = LoadRadiographd("image")({"image": image})["image"].as_tensor().numpy()
    return draw_landmarks(
        pixels[:1],
        predicted=points,
        names=[row["landmark"] for row in rows],
        confidence=np.array([row["confidence"] for row in rows]),
        radius=radii_px(rows),
        title=rows[0]["case"],
    )
