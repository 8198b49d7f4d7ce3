# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Points on images in TensorBoard."""

from __future__ import annotations

import os
from typing import Any

import torch
from ignite import distributed
from ignite.engine import Engine, Events
from torch.utils.tensorboard import SummaryWriter

from monai_gu2net.metrics import evaluated_samples
from monai_gu2net.visualize import draw_landmarks, draw_volume_landmarks

__all__ = ["ValidationPictures"]


class ValidationPictures:
    """Draws the first case of each domain after every validation, predicted and reference points on the image.

    Of a volume it draws projections, and slices through the landmarks that are farthest off. MONAI's
    TensorBoardImageHandler draws images and labels, not points.

    Args:
        log_dir: TensorBoard's folder, where the validations are counted.
    """

    def __init__(self, log_dir: str | os.PathLike[str]) -> None:
        self.log_dir = log_dir
        self._first: dict[str, dict[str, Any]] = {}
        self._count = 0
        self._writer: SummaryWriter | None = None

    def attach(self, engine: Engine) -> None:
        """Attach to the validator; of a distributed run, the first process alone draws."""
        if distributed.get_rank() > 0:
            return
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._collect)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._draw)

    def _collect(self, engine: Engine) -> None:
        for sample in evaluated_samples(engine):
            self._first.setdefault(sample["domain"], sample)

    def _draw(self) -> None:
        self._count += 1
        self._writer = self._writer or SummaryWriter(str(self.log_dir))
        for domain, sample in self._first.items():
            image = sample["image"]
            points: dict[str, Any] = {
                "predicted": sample["pred_points"].cpu().numpy(),
                "reference": sample["points"].cpu().numpy(),
                "title": sample["case"],
            }
            pixels = torch.as_tensor(image[:1]).cpu().numpy()
            if image.ndim == 4:
                affine = image.affine.cpu().numpy() if sample.get("unit") == "mm" else None
                picture = draw_volume_landmarks(pixels, affine=affine, most=4, columns=1, panel=160, **points)
            else:
                picture = draw_landmarks(pixels, longest_side=512, **points)
            self._writer.add_image(f"validation/{domain}", picture, self._count, dataformats="HWC")
        self._writer.flush()
        self._first.clear()
