# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The app: models, training, scores and strategies over one datastore."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from monailabel.config import settings
from monailabel.interfaces.app import MONAILabelApp
from monailabel.interfaces.datastore import Datastore, DefaultLabelTag
from monailabel.interfaces.exception import MONAILabelError, MONAILabelException
from monailabel.interfaces.tasks.infer_v2 import InferTask
from monailabel.interfaces.tasks.scoring import ScoringMethod
from monailabel.interfaces.tasks.strategy import Strategy
from monailabel.interfaces.tasks.train import TrainTask
from monailabel.tasks.activelearning.epistemic import Epistemic
from monailabel.tasks.activelearning.first import First
from monailabel.tasks.activelearning.random import Random

import monai_gu2net
from monai_gu2net.connections import DicomWebServer
from monai_gu2net.data import Domain
from monai_gu2net.label_app.datastore import LandmarkDatastore
from monai_gu2net.label_app.dicomweb import DicomWebLandmarks
from monai_gu2net.label_app.infer import LandmarkInferTask
from monai_gu2net.label_app.scoring import UNCERTAINTY, CorrectionScore, UncertaintyScore
from monai_gu2net.label_app.train import LandmarkTrainTask
from monai_gu2net.label_app.weights import AppWeights

__all__ = ["LandmarkApp"]

_PATIENCE_S = 10.0  # an annotator waits meanwhile


class LandmarkApp(MONAILabelApp):
    """Pre-labels, keeps and learns landmarks, a model ``gu2net_DOMAIN`` for each domain.

    Args:
        app_dir: the app's folder, with the weights in ``model/``.
        studies: a folder of images, or the address of a DICOMweb server.
        conf: ``domains``, those served, with commas (all of the model's); ``train_config``, the bundle's train.json;
            ``spacing`` ("SX,SY" mm per pixel) and ``accept_spacing_source`` (with commas).
    """

    def __init__(self, app_dir: str, studies: str, conf: dict[str, str]) -> None:
        self.weights = AppWeights(Path(app_dir) / "model")
        known = {name: each for name, each in self.weights.card.domains_for_new_images.items() if len(each.size) == 2}
        wanted = _listed(conf.get("domains")) or list(known)
        missing = [name for name in wanted if name not in known]
        if missing or not wanted:
            raise ValueError(
                f"The domains to label must be among the model's, in 2-D: {list(known)}; got {missing}. Correct them."
            )
        self.domains: dict[str, Domain] = {name: known[name] for name in wanted}
        super().__init__(
            app_dir,
            studies,
            conf,
            name="GU2Net landmarks",
            description="Anatomical landmarks in radiographs: pre-label, correct, retrain",
            version=monai_gu2net.__version__,
        )

    def datastore(self) -> Datastore:
        """The datastore, as it is on disk now."""
        self._datastore.reload()
        return self._datastore

    def init_datastore(self) -> Datastore:
        """The folder's, or the DICOMweb server's."""
        if self.studies.startswith(("http://", "https://")):
            user, password = settings.MONAI_LABEL_DICOMWEB_USERNAME, settings.MONAI_LABEL_DICOMWEB_PASSWORD
            return DicomWebLandmarks(
                DicomWebServer(
                    self.studies,
                    password=f"{user}:{password}" if user else None,
                    timeout_s=_PATIENCE_S,
                    attempts=2,
                ),
                settings.MONAI_LABEL_DICOMWEB_CACHE_PATH or Path(self.app_dir) / "images",
                domains=self.domains,
                filters=settings.MONAI_LABEL_DICOMWEB_SEARCH_FILTER,
            )
        return LandmarkDatastore(
            self.studies,
            domains=self.domains,
            extensions=settings.MONAI_LABEL_DATASTORE_FILE_EXT,
            auto_reload=settings.MONAI_LABEL_DATASTORE_AUTO_RELOAD,
            read_only=settings.MONAI_LABEL_DATASTORE_READ_ONLY,
        )

    def init_infers(self) -> dict[str, InferTask]:
        """A task for each domain."""
        spacing = [float(length) for length in _listed(self.conf.get("spacing"))] or None
        accepted = _listed(self.conf.get("accept_spacing_source")) or None
        return {
            f"gu2net_{name}": LandmarkInferTask(self.weights, domain, spacing=spacing, accept_spacing_source=accepted)
            for name, domain in self.domains.items()
        }

    def init_trainers(self) -> dict[str, TrainTask]:
        """A task for each domain."""
        config = self.conf.get("train_config")
        return {
            f"gu2net_{name}": LandmarkTrainTask(
                self.weights, domain, domains=self.domains, config=Path(config), folder=Path(self.app_dir) / "training"
            )
            for name, domain in self.domains.items()
            if config
        }

    def init_strategies(self) -> dict[str, Strategy]:
        """By chance, in order, and the least certain first."""
        unsure = Epistemic(key=UNCERTAINTY, desc="The image that the model is least sure of, as far as it is scored")
        return {"random": Random(), "first": First(), "uncertain_first": unsure}

    def init_scoring_methods(self) -> dict[str, ScoringMethod]:
        """How unsure the model is, and how far it was corrected."""
        tasks = {task.domain.name: task for task in self._infers.values()}
        return {"uncertainty": UncertaintyScore(tasks), "radial_error": CorrectionScore(self.domains)}

    def infer(self, request: Mapping[str, Any], datastore: Datastore | None = None) -> dict[str, Any]:
        """Answer a request; what is found becomes a pre-label at most, never a final label.

        Raises:
            MONAILabelException: no such model or image, or the request asks for a final label.
        """
        if request.get("save_label"):
            _refuse_final(request)
        answer: dict[str, Any] = super().infer(request, self.datastore() if datastore is None else datastore)
        return answer

    def batch_infer(self, request: Mapping[str, Any], datastore: Datastore | None = None) -> dict[str, Any]:
        """Pre-label many images; one that cannot be read is in the answer with its ``error``, and stops nothing."""
        _refuse_final(request)
        # without a GPU MONAI Label divides by the number of GPUs
        fitting = dict(request) if torch.cuda.is_available() else {**request, "multi_gpu": False}
        done: dict[str, Any] = self._batch_infer(
            fitting, self.datastore() if datastore is None else datastore, self._infer_or_reason
        )
        return done

    def _infer_or_reason(self, request: Mapping[str, Any], datastore: Datastore) -> dict[str, Any]:
        try:
            return self.infer(request, datastore)
        except MONAILabelException as error:
            return {"error": error.msg}
        except (OSError, ValueError) as error:
            return {"error": str(error)}


def _refuse_final(request: Mapping[str, Any]) -> None:
    if request.get("label_tag") == DefaultLabelTag.FINAL:
        raise MONAILabelException(
            MONAILabelError.INVALID_INPUT,
            "A pre-label must have the tag 'original'; got 'final', which is an annotator's. Leave it out.",
        )


def _listed(value: str | None) -> list[str]:
    """The parts of a text with commas."""
    return [part.strip() for part in value.split(",")] if value else []
