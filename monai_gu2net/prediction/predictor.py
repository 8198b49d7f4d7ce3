# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""A trained model that finds landmarks in images."""

from __future__ import annotations

import copy
import logging
import os
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from monai_gu2net.data.case_names import case_names
from monai_gu2net.data.datalist import Datalist
from monai_gu2net.data.domain import Domain
from monai_gu2net.data.first_error import first_error
from monai_gu2net.dicom.isolated import stop_decoding
from monai_gu2net.export.backends import Backend
from monai_gu2net.inferers.tta import TTAInferer
from monai_gu2net.networks.ensemble import load_ensemble
from monai_gu2net.prediction.background import ahead, background
from monai_gu2net.prediction.calibrated_radius import calibrations_of
from monai_gu2net.prediction.failures import Failures
from monai_gu2net.prediction.model_identity import model_identity
from monai_gu2net.prediction.polarity import logits_of_either_polarity
from monai_gu2net.prediction.postprocessing import PredictionPostprocessing
from monai_gu2net.prediction.prediction_options import PredictionOptions
from monai_gu2net.prediction.result_files import ResultFiles
from monai_gu2net.prediction.result_rows import result_rows, warn_of_pixels
from monai_gu2net.transforms.found import Found
from monai_gu2net.transforms.preprocessing import RadiographPreprocessing
from monai_gu2net.transforms.save import FORMATS

__all__ = ["Checkpoints", "Predictor", "load"]

Checkpoints = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
"""The file of a model, or those of several models whose heatmaps are averaged."""

_OPTIONS = PredictionOptions()
_log = logging.getLogger(__name__)
_READ_AHEAD, _UNSAVED = 2, 2  # images in memory beside the one that the network has


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
        options: PredictionOptions = _OPTIONS,
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
        self.inferer = TTAInferer(tta=options.tta, domains=self.card.domains, compiled=self.backend)
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
            image: a file: DICOM, a picture such as PNG, or a volume such as NIfTI; or the folder of a DICOM series.
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

        The next cases are read and the last ones saved in threads beside the network's, one each, in the cases' order.

        Args:
            cases: datalist cases, with or without landmarks.
            domains: of annotated cases, by name, whose reference landmarks may give the scale. None: the cases are new
                images of the model's domains, and a reference length among what is found may give it.
            saves: what is done with each case's landmarks, such as writing a file, in another thread. A ValueError is a
                failure of the case, whose rows stay.
            tolerant: whether a case that can be read and fails then, such as one that is too large for the device's
                memory, is a failure as one that cannot be read, and any error of saving as well; else such an error is
                raised. A disk that is full is an error always.
            on_case: called with the number of cases done, after each.

        Returns:
            Result rows, one per case and landmark (see :func:`~monai_gu2net.prediction.result_rows`), with radius and
            presence in calibrated domains, and failures, with ``case``, ``domain`` and ``reason``.
        """
        self.backend.expect(len(cases) * self.options.tta)
        chain = _Chain(self, domains, keep_image=bool(saves))
        rows: list[dict[str, Any]] = []
        all_failures = Failures()
        unsaved: deque[tuple[Mapping[str, Any], Failures, list[Future[None]]]] = deque()
        done = 0

        def finish_first() -> None:
            """See the results of the first case written."""
            nonlocal done
            case, failures, saving = unsaved.popleft()
            for saved in saving:
                with failures.of(case, "not wholly saved", kinds=Exception if tolerant else ValueError, with_what=True):
                    saved.result()
            all_failures.extend(failures)
            done += 1
            on_case(done)

        with background("reading", interrupt=stop_decoding) as read, background("writing") as write:
            for case, reading in ahead(read, chain.prepare, cases, count=_READ_AHEAD):
                failures, sample, found = Failures(), None, None
                with failures.of(case, "left out"):
                    sample = reading.result()
                if sample is not None:
                    with failures.of(case, "failed", kinds=Exception if tolerant else ()):
                        found = chain.find(sample)
                        rows += result_rows(found, sample.get("landmarks"))
                    if found is None and self.device.type == "cuda":
                        torch.cuda.empty_cache()  # here, where no error holds the frames and with them the memory
                unsaved.append((case, failures, [write(save, found) for save in saves] if found is not None else []))
                while unsaved and (len(unsaved) > _UNSAVED or all(each.done() for each in unsaved[0][2])):
                    finish_first()
            while unsaved:
                finish_first()
        return rows, list(all_failures)

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
        keep_image: whether the pictures of what is found will be drawn.
    """

    def __init__(
        self, predictor: Predictor, domains: Mapping[str, Domain] | None = None, *, keep_image: bool = False
    ) -> None:
        options = predictor.options
        self.predictor, self.keep_image = predictor, keep_image
        self.domains = predictor.card.domains_for_new_images if domains is None else domains
        self.preprocess = RadiographPreprocessing(
            self.domains, spacing=options.spacing, accept_spacing_source=options.accept_spacing_source
        )
        self.decode = PredictionPostprocessing(
            self.domains,
            calibrations=predictor.calibrations,
            min_confidence=options.min_confidence,
            accept_spacing_source=options.accept_spacing_source,
            scale=domains is None,
        )

    def prepare(self, case: Mapping[str, Any]) -> dict[Any, Any]:
        """The sample of a case, ready for the network."""
        sample = self.preprocess(dict(case), end=1)
        image = sample["image"]
        # of a picture in colour the overlay shows the luminance, which the network is not given
        if self.keep_image and image.ndim == 3 and self.domains[sample["domain"]].in_channels == 1:
            sample["file_image"] = image.as_tensor()[:1].clone()  # the next steps change it in place
        prepared: dict[Any, Any] = self.preprocess(sample, start=1)
        return prepared

    @torch.no_grad()
    def find(self, sample: Mapping[Any, Any]) -> Found:
        """What the network finds in a prepared sample."""
        image = sample["image"].as_tensor()[None].to(self.predictor.device)

        def look(seen: torch.Tensor) -> torch.Tensor:
            return self.predictor.inferer(seen, self.predictor.network, sample["domain"])

        # a volume's values have a meaning that nobody inverts
        logits, polarity = logits_of_either_polarity(image, look) if image.ndim == 4 else (look(image), "")
        if polarity:
            _log.warning("%s: %s", Path(str(sample.get("image_file", "the image"))).name, polarity)
        decoded = self.decode({**sample, "pred": logits[0], "polarity": polarity})
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
