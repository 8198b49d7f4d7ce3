# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Training of the app: from the weights in use, on the labels there are, and only for the better."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from monailabel.interfaces.datastore import Datastore
from monailabel.interfaces.exception import MONAILabelError, MONAILabelException
from monailabel.interfaces.tasks.train import TrainTask
from monailabel.utils.others.generic import device_list

from monai_gu2net.data import Datalist, Domain, image_name
from monai_gu2net.data.config_paths import config_value
from monai_gu2net.data.first_error import reason_of
from monai_gu2net.engines.run_training import run_training
from monai_gu2net.files import write_text_whole
from monai_gu2net.label_app.labels import labelled_data
from monai_gu2net.label_app.training_options import TrainingOptions
from monai_gu2net.label_app.weights import AppWeights
from monai_gu2net.networks import ModelCard
from monai_gu2net.prediction import Predictor, fitting_cases

__all__ = ["LandmarkTrainTask"]

_log = logging.getLogger(__name__)


class LandmarkTrainTask(TrainTask):
    """Trains a domain of the app's model on the datastore's labels, by the bundle's training workflow.

    The new weights take the place of those in use only if their mean radial error on the validation images is not
    higher; both are measured on the same images. Until then nothing that the app uses is touched, so that a training
    may be stopped or killed at any time; asked for again with the same labels and options, it goes on after its last
    epoch.

    Unless ``shared_rate`` says so, what the domains share is frozen in a model of several: the others stay as they are.

    Args:
        weights: of the app.
        domain: to train.
        domains: all that a label may be of.
        config: the bundle's ``train.json``.
        folder: takes unfinished trainings, the split of the labels, and ``history.json``, the results.
    """

    def __init__(
        self, weights: AppWeights, domain: Domain, *, domains: Mapping[str, Domain], config: Path, folder: Path
    ) -> None:
        super().__init__(f"Train the domain {domain.name!r} on the labels, from the weights in use")
        self.weights, self.domain, self.domains = weights, domain, dict(domains)
        self.config_file, self.folder, self._history = config, folder, folder / "history.json"

    def config(self) -> dict[str, Any]:
        """The options that a client may show, at their defaults."""
        return {**asdict(TrainingOptions()), "device": device_list()}

    def stats(self) -> dict[str, Any]:
        """The result of the domain's last training, as :meth:`__call__` gave it; empty before the first."""
        results = reversed(_read_json(self._history, []))
        return next((each for each in results if each["domain"] == self.domain.name), {})

    def __call__(self, request: Mapping[str, Any], datastore: Datastore) -> dict[str, Any]:
        """Train, compare, and replace the weights if they are not worse.

        Args:
            request: see :class:`~monai_gu2net.label_app.training_options.TrainingOptions`.
            datastore: with the labels.

        Returns:
            ``domain``, ``old_mre`` and ``new_mre`` (None: not measured, and not better) in ``unit`` on
            ``validation_images``, ``training_images``, ``replaced``, ``epochs``, ``ended`` (seconds since 1970).

        Raises:
            MONAILabelException: there are too few labels, an option is wrong, or another training runs.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            options = TrainingOptions.from_request(request)
            with FileLock(self.folder / ".lock", timeout=0):
                result = self._train(options, datastore)
        except Timeout:
            raise MONAILabelException(
                MONAILabelError.APP_TRAIN_FAILED, "One training must end before another begins; one is running. Wait."
            ) from None
        except (OSError, ValueError, RuntimeError) as error:  # MONAI wraps those of a bundle's parts in the last
            raise MONAILabelException(MONAILabelError.APP_TRAIN_FAILED, reason_of(error)) from error
        _log.info(
            "Domain %s: mean radial error on %d validation images %s before, %s after training; %s",
            result["domain"],
            result["validation_images"],
            *(_error_text(result[which], result["unit"]) for which in ("old_mre", "new_mre")),
            "the new weights are in use" if result["replaced"] else "the weights stay as they were",
        )
        return result

    def _train(self, options: TrainingOptions, datastore: Datastore) -> dict[str, Any]:
        data = self._data(options, datastore)
        run = self.folder / self.domain.name
        resume = self._prepare(run, data, options)
        self._run(run, data, options, resume=resume)
        old, unit = _validation_error(run / "start.pt", data, options.device)
        new, _ = _validation_error(run / "model.pt", data, options.device)
        replaced = new <= old  # NaN is never better
        if replaced:
            self.weights.replace(run / "model.pt")
        result = {
            "domain": self.domain.name,
            "old_mre": old if math.isfinite(old) else None,
            "new_mre": new if math.isfinite(new) else None,
            "unit": unit,
            "replaced": replaced,
            "training_images": len(data.training),
            "validation_images": len(data.validation),
            "epochs": options.max_epochs,
            "ended": int(time.time()),
        }
        _write_json(self._history, [*_read_json(self._history, []), result])
        shutil.rmtree(run)
        return result

    def _data(self, options: TrainingOptions, datastore: Datastore) -> Datalist:
        """The labels as a datalist; who trains and who validates is noted for good."""
        noted = self.folder / f"splits_{self.domain.name}.json"
        pairs = datastore.datalist()
        images = [image_name(Path(pair["image"])) for pair in pairs]
        infos = {image: datastore.get_label_info(image, "final") for image in images}
        # the size, and the landmarks, are those of the weights in use
        learned, given = self.weights.card.domains[self.domain.name], self.weights.options.spacing
        seen_at = tuple(given) if given is not None and learned.target_spacing is not None else None
        data, splits = labelled_data(
            pairs,
            # which are seen in training as in a pre-label
            domain=replace(learned, spacing=seen_at),
            domains=self.domains,
            validation=options.validation,
            earlier_splits=_read_json(noted, {}),
            domain_of={image: info["domain"] for image, info in infos.items() if info.get("domain")},
        )
        _write_json(noted, splits)
        return data

    def _prepare(self, run: Path, data: Datalist, options: TrainingOptions) -> bool:
        """Make the folder of the training; True where it has one of the same kind that was not finished."""
        weights = hashlib.sha256(self.weights.path.read_bytes()).hexdigest()
        cases = [
            [split, case["case"], case["landmarks"]]
            for split in ("training", "validation")
            for case in data.cases(split)
        ]
        kind: dict[str, Any] = {"weights": weights, "cases": cases, "options": asdict(options)}
        spacing = data.domains[self.domain.name].spacing
        kind |= {"spacing": list(spacing)} if spacing else {}
        about = run / "about.json"
        if _read_json(about, None) == kind:
            return (run / "last.pt").is_file()
        if run.is_dir():
            shutil.rmtree(run)
        run.mkdir(parents=True)
        shutil.copyfile(self.weights.path, run / "start.pt")
        data.save(run / "datalist.json")
        _write_json(about, kind)
        return False

    def _run(self, run: Path, data: Datalist, options: TrainingOptions, *, resume: bool) -> None:
        """The bundle's training, from ``start.pt`` to ``model.pt`` of the folder."""
        card = ModelCard.load(run / "start.pt")
        network = {f"network_def#{name}": value for name, value in card.network["options"].items() if name != "prior"}
        alone = len(card.domains) == 1
        overrides: dict[str, Any] = {
            "datalist": config_value(run / "datalist.json"),
            "output_dir": config_value(run),
            "start_from": config_value(run / "start.pt"),
            "sigma": card.sigma,
            "device": f"$torch.device({options.device!r})",
            "shared_rate": options.shared_rate or (1.0 if alone else 0.0),
            "val_interval": 1,
            "patience": options.max_epochs,
            "warmup_steps": options.warmup_steps(len(data.training)),
            "max_epochs": options.max_epochs,
            "learning_rate": options.learning_rate,
            "batches_per_epoch": options.batches_per_epoch,
            "resume": resume,
            **network,
        }
        run_training(self.config_file, overrides)


def _validation_error(checkpoint: Path, data: Datalist, device: str) -> tuple[float, str]:
    """Mean radial error on the validation cases in "mm", or in "px" of the files where a spacing is not known.

    NaN: nothing could be measured; inf: a landmark was not found.
    """
    predictor = Predictor(checkpoint, device=device)
    domains, cases = fitting_cases(predictor.card, data, split="validation")
    rows, _ = predictor.run(cases, domains=domains)
    unit = "mm" if all(row["unit"] == "mm" for row in rows) else "px"
    annotated = [row for row in rows if not math.isnan(row["error"])]
    errors = [row["error"] for row in annotated]
    if unit == "px":
        errors = [math.inf if math.isinf(row["error"]) else _error_px(row) for row in annotated]
    return (float(np.mean(errors)) if errors else math.nan), unit


def _error_px(row: Mapping[str, Any]) -> float:
    axes = "xyz" if "predicted_z" in row else "xy"
    return math.hypot(*(row[f"predicted_{axis}"] - row[f"reference_{axis}"] for axis in axes))


def _error_text(error: float | None, unit: str) -> str:
    return "not measured" if error is None else f"{error:.4g} {unit}"


def _write_json(path: Path, content: Any) -> None:
    write_text_whole(path, json.dumps(content, indent=1) + "\n")


def _read_json(path: Path, default: Any) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else default
