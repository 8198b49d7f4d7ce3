# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What a request for a training may say."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

__all__ = ["TrainingOptions"]

_BATCH = 4  # of the bundle's training


@dataclass(frozen=True)
class TrainingOptions:
    """Options of a training; they come from a client, and are checked.

    Args:
        max_epochs: passes over the labelled images.
        learning_rate: of the domain's own weights, at its highest.
        shared_rate: learning rate of the shared weights as a share of that; 0 freezes them in a model of several
            domains, and in a model of one is 1.
        validation: share of the patients that validate.
        batches_per_epoch: by default one pass over the training images.
        device: where to train.

    Raises:
        ValueError: one breaks its rule.
    """

    max_epochs: int = 20
    learning_rate: float = 0.001
    shared_rate: float = 0.0
    validation: float = 0.2
    batches_per_epoch: int | None = None
    device: str = "cuda" if torch.cuda.is_available() else "cpu"

    def __post_init__(self) -> None:
        for name, number in (("max_epochs", self.max_epochs), ("batches_per_epoch", self.batches_per_epoch)):
            if number is not None and (type(number) is not int or number < 1):
                raise ValueError(f"{name} must be a whole number, at least 1; got {number!r}. Correct it.")
        for name, fits, rule in (
            ("learning_rate", lambda number: 0 < number < math.inf, "be positive"),
            ("shared_rate", lambda number: 0 <= number <= 1, "be from 0 to 1"),
            ("validation", lambda number: 0 < number < 1, "be a share above 0 and below 1"),
        ):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not fits(value):
                raise ValueError(f"{name} must {rule}; got {value!r}. Correct it.")

    @classmethod
    def from_request(cls, request: Mapping[str, Any]) -> TrainingOptions:
        """The options among what a request says; the device is one that is there."""
        given = {name: request[name] for name in cls.__dataclass_fields__ if request.get(name) is not None}
        device = given.pop("device", None)
        device = device[0] if isinstance(device, list) and device else device
        if isinstance(device, str) and device:
            try:
                wanted = torch.device(device)
            except RuntimeError as error:
                raise ValueError(f"device must be one of PyTorch's; got {device!r}. Correct it.") from error
            if wanted.type != "cuda" or torch.cuda.is_available():  # clients ask for "cuda" by default
                given["device"] = str(wanted)
        return cls(**given)

    def warmup_steps(self, training_images: int) -> int:
        """A tenth of all steps, at most the bundle's 50."""
        batches = self.batches_per_epoch or math.ceil(training_images / _BATCH)
        return min(50, max(1, self.max_epochs * batches // 10))
