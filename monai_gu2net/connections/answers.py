# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The answer to a radiograph: its landmarks as DICOM objects of its study."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from monai_gu2net.connections.spool import spool_name
from monai_gu2net.connections.worker import NoAnswerError
from monai_gu2net.dicom import DicomError, Limits, read_header
from monai_gu2net.dicom.derived_uid import derived_uid
from monai_gu2net.dicom.metadata import metadata_of
from monai_gu2net.prediction.prediction_options import PredictionOptions
from monai_gu2net.prediction.predictor import Checkpoints, Predictor
from monai_gu2net.transforms.result_formats import ANSWER_FORMATS, DICOM_FORMATS, OBJECTS

__all__ = ["RadiographAnswers"]

_FORM = 2  # raised where the same result is written in another form, which must be another object


class RadiographAnswers:
    """Answers radiographs with a trained model that is loaded once.

    The SOP Instance UIDs of an answer are derived from the image's, the model, the way it is used, and the domain. The
    same image is therefore answered by the same objects whenever and however often it is sent, and a receiver that
    knows them keeps one of each.

    Args:
        checkpoint: a trained model, or several whose heatmaps are averaged.
        domain: which of its domains the images are of; None: see
            :meth:`~monai_gu2net.prediction.Predictor.checked_domain`.
        by_body_part: domain by Body Part Examined, where images are of several; ``domain`` is for the others.
        options: how the model is used.
        formats: what an answer consists of, among "sr", "gsps" and "sc".
        device: where the network runs.
        limits: of one image.

    Raises:
        ValueError: no domain is given for a model of several, one is not the model's or one of volumes, or a format is
            not known.
    """

    def __init__(
        self,
        checkpoint: Checkpoints,
        *,
        domain: str | None = None,
        by_body_part: Mapping[str, str] | None = None,
        options: PredictionOptions = PredictionOptions(),  # noqa: B008 - immutable
        formats: Sequence[str] = DICOM_FORMATS,
        device: str = "cpu",
        limits: Limits = Limits(),  # noqa: B008 - immutable
    ) -> None:
        self.predictor = Predictor(checkpoint, options, device=device)
        self.predictor.backend.expect(math.inf)  # one engine for all, so that the same image has the same answer
        named = self.predictor.checked_domain
        self.by_body_part = {part.upper(): str(named(name)) for part, name in (by_body_part or {}).items()}
        self.domain = None if domain is None and by_body_part else named(domain)
        self._told = self.domain is None and not by_body_part
        self.limits = limits
        self._check_flat()
        unknown = [name for name in formats if name not in ANSWER_FORMATS]
        if unknown or not formats:
            raise ValueError(f"formats must be among {list(ANSWER_FORMATS)}; got {unknown or None}. Name one or more.")
        self.formats = tuple(formats)
        model = self.predictor.model
        accepted = options.accept_spacing_source
        sources = None if accepted is None else sorted(accepted)
        self.identity = f"{model['name']} {model['version']} {options.tta} {options.min_confidence} {sources} {_FORM}"
        self.identity += "" if options.spacing is None else f" {list(options.spacing)}"
        self.identity += " bfloat16" if options.precision == "bfloat16" else ""

    def _check_flat(self) -> None:
        """Refuse a model of volumes: what is sent comes one by one, and no series says that it is whole."""
        domains = self.predictor.card.domains
        volumes = [name for name, domain in domains.items() if domain.dims == 3]
        if volumes:
            raise ValueError(
                f"The model of a connection must be one of radiographs, which are answered one by one; got volumes "
                f"({volumes[0]}). Have the slices of a series saved in a folder, and use predict --formats sr."
            )

    def checked_domain(self, body_part: str) -> str | None:
        """The domain of an image before it is seen; None: it is told from the image.

        Args:
            body_part: its Body Part Examined, or "".

        Raises:
            NoAnswerError: it has none.
        """
        domain = self.by_body_part.get(body_part.strip().upper(), self.domain)
        if domain is None and not self._told:
            raise NoAnswerError(
                f"the image must be of a body part among {sorted(self.by_body_part)}; it is of another, or tells none"
            )
        return domain

    def domain_in(self, image: Path) -> str:
        """The domain of an image by what its file says, or by its looks.

        Raises:
            NoAnswerError: it has none, or looks like none; the file cannot be read; or its UID is not the one that it
                was sent with.
        """
        return self._facts(image)[1]

    def uids(self, sop_instance_uid: str, domain: str) -> dict[str, str]:
        """The SOP Instance UIDs of an image's answer, by the names of its objects.

        Args:
            sop_instance_uid: of the image.
            domain: that it is of.
        """
        objects = (each for name in self.formats for each in OBJECTS.get(name, (name,)))
        return {kind: derived_uid(sop_instance_uid, self.identity, domain, kind) for kind in objects}

    def __call__(self, image: Path, folder: Path) -> list[dict[str, Any]]:
        """Write the answer to an image.

        Args:
            image: a DICOM file, named :func:`~monai_gu2net.connections.spool_name`.
            folder: where ``NAME.sr.dcm`` and what else there is go, and nothing else.

        Returns:
            Result rows, as :meth:`~monai_gu2net.prediction.Predictor.run`.

        Raises:
            NoAnswerError: the image cannot be read, its UID is not the one that it was sent with, or it has no domain.
        """
        uid, domain = self._facts(image)
        rows, failures = self.predictor.predict_files(
            [image],
            output_dir=folder,
            domain=domain,
            formats=self.formats,
            overlays=False,
            sop_instance_uids=self.uids(uid, domain),
            tolerant=False,  # whoever asks may try again
        )
        if failures:
            raise NoAnswerError(failures[0]["reason"])
        for path in folder.iterdir():
            if path.suffix != ".dcm":
                path.unlink()
        return rows

    def _facts(self, image: Path) -> tuple[str, str]:
        """SOP Instance UID and domain."""
        try:
            facts = metadata_of(read_header(image, limits=self.limits))
        except DicomError as error:
            raise NoAnswerError(str(error)) from None
        uid = str(facts.get("sop_instance_uid", ""))
        if spool_name(uid) != image.stem:
            raise NoAnswerError("the image must have the SOP Instance UID that it was sent with; it has another one")
        domain = self.checked_domain(str(facts.get("body_part", "")))
        try:
            return uid, domain or self.predictor.tell_domain(image)
        except ValueError as error:
            raise NoAnswerError(str(error)) from None
