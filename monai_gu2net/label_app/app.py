# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The app: models, training, scores and strategies over one datastore."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from functools import cached_property
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
from monai_gu2net.label_app.dicomweb_datastore import DicomWebLandmarks
from monai_gu2net.label_app.infer import LandmarkInferTask, words_of
from monai_gu2net.label_app.scoring import UNCERTAINTY, CorrectionScore, UncertaintyScore
from monai_gu2net.label_app.train import LandmarkTrainTask
from monai_gu2net.label_app.uploads import ConfinedSessions
from monai_gu2net.label_app.weights import AppWeights
from monai_gu2net.prediction import PredictionOptions

__all__ = ["LandmarkApp"]

_PATIENCE_S = 10.0  # an annotator waits meanwhile


class LandmarkApp(MONAILabelApp):
    """Pre-labels, keeps and learns landmarks, a model ``gu2net_DOMAIN`` for each domain.

    Args:
        app_dir: the app's folder, with the weights in ``model/``.
        studies: a folder of images, or the address of a DICOMweb server, of a model of radiographs.
        conf: ``domains``, those served, with commas (all of the model's); ``train_config``, the bundle's train.json;
            ``spacing`` ("SX,SY" mm per pixel) and ``accept_spacing_source`` (with commas); ``backend`` and
            ``precision``, see :class:`~monai_gu2net.export.Backend`.
    """

    def __init__(self, app_dir: str, studies: str, conf: dict[str, str]) -> None:
        options = PredictionOptions(
            spacing=[float(length) for length in _listed(conf.get("spacing"))] or None,
            accept_spacing_source=_listed(conf.get("accept_spacing_source")) or None,
            backend=conf.get("backend") or "auto",
            precision=conf.get("precision") or "auto",
        )
        self.weights = AppWeights(Path(app_dir) / "model", options)
        known = self.weights.card.domains_for_new_images
        wanted = _listed(conf.get("domains")) or list(known)
        missing = [name for name in wanted if name not in known]
        if missing:
            raise ValueError(
                f"The domains to label must be among the model's {list(known)}; got {missing}. Correct them."
            )
        self.domains: dict[str, Domain] = {name: known[name] for name in wanted}
        self.dims = len(next(iter(self.domains.values())).size)  # a network has one number of axes
        if self.dims == 3 and _is_address(studies):
            raise ValueError(
                f"The volumes to label must be files in a folder; got {studies!r}, a DICOMweb server, whose images are "
                "single slices. Save its series as NIfTI, NRRD or MetaImage, and give their folder."
            )
        super().__init__(
            app_dir,
            studies,
            conf,
            name="GU2Net landmarks",
            description="Anatomical landmarks: pre-label, correct, retrain",
            version=monai_gu2net.__version__,
        )

    def datastore(self) -> Datastore:
        """The datastore, as it is on disk now."""
        self._datastore.reload()
        return self._datastore

    def init_datastore(self) -> Datastore:
        """The folder's, or the DICOMweb server's."""
        if _is_address(self.studies):
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
        return {f"gu2net_{name}": LandmarkInferTask(self.weights, domain) for name, domain in self.domains.items()}

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

    @cached_property
    def uploads(self) -> Path:
        """Holds the images that clients send with a request, as long as it lasts."""
        self._uploads = tempfile.TemporaryDirectory(prefix="gu2net_uploads_")  # goes with the app
        return Path(self._uploads.name).resolve()

    def infer(self, request: Mapping[str, Any], datastore: Datastore | None = None) -> dict[str, Any]:
        """Answer a request; what is found becomes a pre-label at most, never a final label.

        Args:
            request: ``model`` and ``image``, an image's id in the datastore; with ``save_label`` its pre-label is
                saved. The path of a file is taken in the folders of sessions and uploads alone, and nothing saved then.
            datastore: by default the app's.

        Raises:
            MONAILabelException: no such model or image, or the request asks for a final label.
        """
        if request.get("save_label"):
            _refuse_final(request)
        store = self.datastore() if datastore is None else datastore
        image = str(request.get("image") or "")
        path = store.get_image_uri(image)
        asked = {**request, "image": path or self._sent(image), "save_label": False}
        answer: dict[str, Any] = super().infer(asked, store)  # which takes whatever path it is given
        if path and request.get("save_label") and answer["file"]:
            tag = request.get("label_tag", DefaultLabelTag.ORIGINAL)
            info = {"model": request["model"], "params": answer["params"]}
            answer["label"] = store.save_label(image, answer["file"], tag, info)
        return answer

    def infer_wsi(self, request: Mapping[str, Any], datastore: Datastore | None = None) -> dict[str, Any]:
        """Refuse: there is no model for slides."""
        raise MONAILabelException(
            MONAILabelError.INVALID_INPUT, "The model must be for slides; this app has none. Use /infer/MODEL."
        )

    def _sent(self, image: str) -> str:
        """The path of a file that a client sent, refused where it leads elsewhere."""
        sessions = self.sessions()
        places = [self.uploads, *([] if sessions is None else [Path(sessions.store_path).resolve()])]
        try:
            path = Path(image).resolve()
            sent = path.is_file() and any(path.is_relative_to(place) for place in places)
        except (OSError, ValueError):  # too long a name, a null byte
            sent = False
        if not sent:
            raise MONAILabelException(
                MONAILabelError.INVALID_INPUT,
                f"The image must be an id of the datastore; got {image!r}, which is not. Reload the list.",
            )
        return str(path)

    def _load_sessions(self, load: bool = False) -> ConfinedSessions | None:
        """Called by MONAILabelApp."""
        if not load:
            return None
        return ConfinedSessions(settings.MONAI_LABEL_SESSION_PATH, settings.MONAI_LABEL_SESSION_EXPIRY)

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
        except Exception as error:  # whatever it is, the other images go on
            return {"error": words_of(error)}


def _refuse_final(request: Mapping[str, Any]) -> None:
    if request.get("label_tag") == DefaultLabelTag.FINAL:
        raise MONAILabelException(
            MONAILabelError.INVALID_INPUT,
            "A pre-label must have the tag 'original'; got 'final', which is an annotator's. Leave it out.",
        )


def _is_address(studies: str) -> bool:
    return studies.startswith(("http://", "https://"))


def _listed(value: str | None) -> list[str]:
    """The parts of a text with commas."""
    return [part.strip() for part in value.split(",")] if value else []
