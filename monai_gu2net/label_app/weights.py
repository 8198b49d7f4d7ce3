# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The weights of the app: those that it started with, those that it uses, and those that it used before."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path

from monai_gu2net.files import write_durably
from monai_gu2net.networks import ModelCard, load_model
from monai_gu2net.prediction import PredictionOptions, Predictor

__all__ = ["AppWeights"]

_KEPT = 5


class AppWeights:
    """A folder with ``start.pt``, as given; ``model.pt``, in use; and ``backup/``, the last ones used before.

    ``model.pt`` is whole at every moment: it is replaced by a rename.

    Args:
        folder: holds them.
        options: how the model in use is used.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        options: PredictionOptions = PredictionOptions(),  # noqa: B008 - immutable
    ) -> None:
        self.folder, self.options = Path(folder), options
        self._loaded: dict[str, tuple[tuple[int, int, int], Predictor]] = {}
        self._loading = threading.Lock()

    @property
    def path(self) -> Path:
        """The file in use."""
        return self.folder / "model.pt"

    @property
    def card(self) -> ModelCard:
        """Of the weights in use."""
        return ModelCard.load(self.path)

    def start(self, checkpoint: str | os.PathLike[str] | None) -> None:
        """Take the weights to start with, or go on with those that are here.

        Args:
            checkpoint: a trained model; it is copied. None: there must be weights already.

        Raises:
            FileNotFoundError: there are no weights, here or there.
            ValueError: it is no model, or the weights here started from another one.
        """
        start = self.folder / "start.pt"
        if checkpoint is None:
            if not self.path.is_file():
                raise FileNotFoundError(
                    f"{self.folder} must hold weights; got none. Name a model to start with (-m model.pt)."
                )
            return
        if start.is_file() and _digest(start) != _digest(Path(checkpoint)):
            raise ValueError(
                f"The weights in {self.folder} must have started from the model given; got {os.fspath(checkpoint)!r}, "
                "which is another one. Leave -m out to go on with those, or choose another --app-dir."
            )
        if not start.is_file():
            load_model(checkpoint)
            self.folder.mkdir(parents=True, exist_ok=True)
            _copy(checkpoint, start)
        if not self.path.is_file():
            _copy(start, self.path)

    def predictor(self, device: str) -> Predictor:
        """The model in use on a device, loaded anew when the file has changed."""
        with self._loading:
            status = self.path.stat()
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
            if device not in self._loaded or self._loaded[device][0] != stamp:
                self._loaded[device] = stamp, Predictor(self.path, self.options, device=device)
            return self._loaded[device][1]

    def replace(self, checkpoint: str | os.PathLike[str]) -> Path:
        """Use a model from now on, and keep the one before.

        Args:
            checkpoint: the new model; it is copied.

        Returns:
            The backup of the model before. The last ones are kept.
        """
        backups = self.folder / "backup"
        backups.mkdir(exist_ok=True)
        earlier = sorted(backups.glob("model_*.pt"))
        number = 1 + max((int(path.stem.removeprefix("model_")) for path in earlier), default=0)
        backup = _copy(self.path, backups / f"model_{number:04d}.pt")
        _copy(checkpoint, self.path)
        for old in sorted(backups.glob("model_*.pt"))[:-_KEPT]:
            old.unlink()
        return backup


def _copy(source: str | os.PathLike[str], target: Path) -> Path:
    """A copy that is there whole or not at all, also after the power failed."""
    return write_durably(target, Path(source).read_bytes(), mode=0o666)


def _digest(path: Path) -> str:
    if not path.is_file():
        raise FileNotFoundError(f"The model must be a file; got {str(path)!r}, which is not there. Correct the path.")
    return hashlib.sha256(path.read_bytes()).hexdigest()
