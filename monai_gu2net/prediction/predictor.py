# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""A trained model that finds landmarks in images."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from pathlib import Path
from typing import Any

import torch

from monai_gu2net.data.case_names import case_names
from monai_gu2net.data.datalist import Datalist
from monai_gu2net.data.domain import Domain
from monai_gu2net.data.first_error import first_error
from monai_gu2net.data.spacing_source import checked_sources, checked_spacing
from monai_gu2net.export.backends import Backend
from monai_gu2net.inferers.tta import TTAInferer
from monai_gu2net.networks.ensemble import load_ensemble
from monai_gu2net.prediction.calibrated_radius import calibrations_of
from monai_gu2net.prediction.failures import Failures
from monai_gu2net.prediction.model_identity import model_identity
from monai_gu2net.prediction.postprocessing import PredictionPostprocessing
from monai_gu2net.prediction.result_files import ResultFiles
from monai_gu2net.prediction.result_rows import result_rows, warn_of_pixels
from monai_gu2net.transforms.found import Found
from monai_gu2net.transforms.preprocessing import RadiographPreprocessing
from monai_gu2net.transforms.save import FORMATS

__all__ = ["Checkpoints", "PredictionOptions", "Predictor", "load"]

Checkpoints = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
"""The file of a model, or those of several models whose heatmaps are averaged."""


@dataclass(frozen=True, kw_only=True)
class PredictionOptions:
    """How a model is used, whatever the image.

    Args:
        min_confidence: landmarks below it are called absent.
        tta: test-time augmentation: of so many versions of each image the heatmaps are averaged, see
            :class:`~monai_gu2net.inferers.TTAInferer`; 1 is the image itself.
        spacing: mm per pixel of every image, whatever else says so; by default what each file says, or the domain's
            reference length, else pixels are the unit.
        accept_spacing_source: what the source of a spacing must begin with, such as "detector"; with another one
            results are in pixels, see :func:`~monai_gu2net.data.case_spacing`. None: any will do.
        backend: the engine that runs the networks: "auto", "torch", "openvino", "onnxruntime" or "tensorrt", see
            :class:`~monai_gu2net.export.Backend`, as for the next.
        precision: that it computes in: "auto", "float32" or "bfloat16".

    Raises:
        ValueError: one of those that are numbers is impossible, or a source is misspelt.
    """

    min_confidence: float = 0.0
    tta: int = 1
    spacing: Sequence[float] | None = None
    accept_spacing_source: Sequence[str] | None = None
    backend: str = "auto"
    precision: str = "auto"

    def __post_init__(self) -> None:
        if not isinstance(self.min_confidence, Real) or not 0 <= self.min_confidence <= 1:
            raise ValueError(f"min_confidence must be from 0 to 1; got {self.min_confidence!r}. Correct it.")
        checked_spacing(self.spacing)
        checked_sources(self.accept_spacing_source)


class Predictor:
    """A trained model that is loaded once and finds landmarks in images as they come.

    Args:
        checkpoint: a trained model, or several whose heatmaps are averaged.
        options: how it is used.
        device: where the network runs.

    Attributes:
        network: called as ``network(image, domain)``, (1, C, *spatial) and a name to logits (1, N, *spatial).
        card: its description.
        model: its name and version for the record.
        calibrations: by domain, those that hold for the options.
        backend: the engine that runs the networks, and says which it is.

    Raises:
        FileNotFoundError: a file is not there.
        ImportError: the engine that is asked for is not installed.
        ValueError: one is no checkpoint, those of several do not fit each other, the device is not there, or the engine
            does not run on it.
    """

    def __init__(
        self,
        checkpoint: Checkpoints,
        options: PredictionOptions = PredictionOptions(),
        *,
        device: str | torch.device = "cpu",
    ) -> None:
        given = [checkpoint] if isinstance(checkpoint, (str, os.PathLike)) else checkpoint
        self.paths = [Path(path) for path in given]
        self.network, self.card = load_ensemble(self.paths, map_location=device)
        self.device = torch.device(device)
        self.model = model_identity(self.card, self.paths)
        self.options = options
        self._set_up()

    def _set_up(self) -> None:
        """What follows from the options."""
        options = self.options
        self.backend = Backend(options.backend, device=self.device, precision=options.precision)
        self.inferer = TTAInferer(tta=options.tta, compiled=self.backend)
        self.calibrations = calibrations_of(self.card, tta=options.tta, members=len(self.paths))

    def __repr__(self) -> str:
        return f"Predictor({list(map(str, self.paths))}, {self.options}, domains={list(self.card.domains)})"

    def with_options(self, **changes: Any) -> Predictor:
        """This model used in another way, with the same networks.

        Args:
            changes: of :class:`PredictionOptions`.
        """
        other = copy.copy(self)
        other.options = replace(self.options, **changes)
        if any(getattr(other.options, name) != getattr(self.options, name) for name in ("tta", "backend", "precision")):
            other._set_up()
        return other

    def predict(self, image: str | os.PathLike[str], domain: str | None = None) -> Found:
        """Find the landmarks of one image.

        Args:
            image: a file: DICOM, a picture such as PNG, or a volume such as NIfTI.
            domain: which of the model's the image is of; a model of one domain needs none.

        Returns:
            The landmarks: ``found.points`` in ``found.unit``, mm where the scale is known and else pixels of the file.

        Raises:
            FileNotFoundError, ValueError: the file is not there or no image that can be read, or the domain is not one
                of the model's.
        """
        [case] = self._cases([Path(image)], self.checked_domain(domain))
        chain = _Chain(self)
        try:
            return chain.find(chain.prepare(case))
        except Exception as error:
            raise first_error(error) from None

    def predict_files(
        self,
        images: Sequence[str | os.PathLike[str]],
        *,
        output_dir: str | os.PathLike[str],
        domain: str | None = None,
        formats: Sequence[str] = FORMATS,
        overlays: bool = True,
        sop_instance_uids: Mapping[str, str] | None = None,
        tolerant: bool = True,
        on_case: Callable[[int], None] = lambda count: None,
    ) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
        """Find the landmarks of images; write a file per image and format, an overlay PNG, and one table.

        An image that cannot be read, or fails later, is left out and listed; the others go on.

        Args:
            images: image files of one domain.
            output_dir: where ``CASE.json``, ``CASE.csv``, ``CASE.mrk.json``, ``CASE.png``, ``landmarks.csv``
                and, where the domain has measurements, ``measurements.csv`` go. What an earlier prediction wrote there
                of the same cases, and its tables, is removed, see :func:`~monai_gu2net.files.results_of_one_run`.
            domain: which of the model's domains; a model of one domain needs none.
            formats: among "json", "csv", "mrk.json", "sr" and "gsps", see
                :class:`~monai_gu2net.transforms.SaveLandmarksd`; "sc", the overlay of a DICOM image as ``CASE.sc.dcm``;
                and "coco", one ``coco.json`` of all images.
            overlays: whether ``CASE.png`` is drawn.
            sop_instance_uids: of the DICOM objects ("sr", "text", "gsps", "sc"), for a single image; by default they
                follow from image and result.
            tolerant: see :meth:`run`.
            on_case: called with the number of images done, after each.

        Returns:
            Result rows and failures, as :meth:`run`.

        Raises:
            ValueError: the domain is not one of the model's, or an overlay would replace an image.
            OSError: the folder does not take files.
        """
        cases = self._cases([Path(image) for image in images], self.checked_domain(domain))
        files = ResultFiles(
            output_dir,
            cases,
            domains=self.card.domains_for_new_images,
            formats=formats,
            overlays=overlays,
            model=self.model,
            sop_instance_uids=sop_instance_uids,
        )
        with files.of_one_run():
            rows, failures = self.run(cases, saves=files.saves, tolerant=tolerant, on_case=on_case)
            files.write_tables(rows)
        warn_of_pixels(rows)
        return rows, failures

    def run(
        self,
        cases: Sequence[Mapping[str, Any]],
        *,
        domains: Mapping[str, Domain] | None = None,
        saves: Sequence[Callable[[Found], None]] = (),
        tolerant: bool = True,
        on_case: Callable[[int], None] = lambda count: None,
    ) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
        """Find the landmarks of each case; a case that fails does not stop the others.

        Args:
            cases: datalist cases, with or without landmarks.
            domains: of annotated cases, by name, whose reference landmarks may give the scale. None: the cases are new
                images of the model's domains, and a reference length among what is found may give it.
            saves: what is done with each case's landmarks, such as writing a file. A ValueError is a failure of the
                case, whose rows stay.
            tolerant: whether a case that can be read and fails then, such as one that is too large for the device's
                memory, is a failure as one that cannot be read, and any error of saving as well; else such an error is
                raised. A disk that is full is an error always.
            on_case: called with the number of cases done, after each.

        Returns:
            Result rows, one per case and landmark (see :func:`~monai_gu2net.prediction.result_rows`), with radius and
            presence in calibrated domains, and failures, with ``case``, ``domain`` and ``reason``.
        """
        self.backend.expect(len(cases) * self.options.tta)
        chain = _Chain(self, domains)
        rows: list[dict[str, Any]] = []
        failures = Failures()
        for count, case in enumerate(cases, start=1):
            sample: dict[Any, Any] | None = None
            found: Found | None = None
            with failures.of(case, "left out"):
                sample = chain.prepare(dict(case))
            if sample is not None:
                with failures.of(case, "failed", kinds=Exception if tolerant else ()):
                    found = chain.find(sample)
                    rows += result_rows(found, sample.get("landmarks"))
                if found is None and self.device.type == "cuda":
                    torch.cuda.empty_cache()  # here, where no error holds the frames and with them the memory
            if found is not None:
                for save in saves:
                    with failures.of(
                        case, "not wholly saved", kinds=Exception if tolerant else ValueError, with_what=True
                    ):
                        save(found)
            on_case(count)
        return rows, list(failures)

    def checked_domain(self, domain: str | None) -> str:
        """A domain of the model; None is that of a model of one.

        Raises:
            ValueError: the domain is not one of the model's.
        """
        domains = list(self.card.domains)
        if domain is None and len(domains) == 1:
            domain = domains[0]
        if domain not in domains:
            raise ValueError(f"The domain must be one of the model's {domains}; got {domain!r}. Name it (--domain).")
        return domain

    def _cases(self, images: Sequence[Path], domain: str) -> list[dict[str, Any]]:
        """A datalist case for each image, with a name of its own."""
        cases = [
            {"image": str(path), "domain": domain, "case": name}
            for path, name in zip(images, (name or "." for name in case_names(images)), strict=True)
        ]
        return list(Datalist("prediction", {domain: self.card.domains_for_new_images[domain]}, test=cases).test)


class _Chain:
    """The steps from a case to the landmarks found in it.

    Args:
        predictor: whose networks and options are used.
        domains: see :meth:`Predictor.run`.
    """

    def __init__(self, predictor: Predictor, domains: Mapping[str, Domain] | None = None) -> None:
        options = predictor.options
        self.predictor = predictor
        self.domains = predictor.card.domains_for_new_images if domains is None else domains
        self.prepare = RadiographPreprocessing(
            self.domains, spacing=options.spacing, accept_spacing_source=options.accept_spacing_source
        )
        self.decode = PredictionPostprocessing(
            self.domains,
            calibrations=predictor.calibrations,
            min_confidence=options.min_confidence,
            accept_spacing_source=options.accept_spacing_source,
            scale=domains is None,
        )

    @torch.no_grad()
    def find(self, sample: Mapping[Any, Any]) -> Found:
        """What the network finds in a prepared sample."""
        image = sample["image"].as_tensor()[None].to(self.predictor.device)
        logits = self.predictor.inferer(image, self.predictor.network, sample["domain"])
        decoded = self.decode({**sample, "pred": logits[0]})
        return Found.of_sample(decoded, self.domains[sample["domain"]])


def load(
    checkpoint: Checkpoints,
    *,
    device: str | torch.device = "cpu",
    **options: Any,
) -> Predictor:
    """Load a trained model, to find landmarks with.

    Args:
        checkpoint: its file, or those of several models whose heatmaps are averaged.
        device: where the network runs.
        options: of :class:`PredictionOptions`.

    Raises:
        FileNotFoundError, ValueError: see :class:`Predictor`.
    """
    return Predictor(checkpoint, PredictionOptions(**options), device=device)
