# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What a process runs: a training step or an inference of this package in its ways, or of a peer."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from monai_gu2net.inferers import LandmarkInferer, TTAInferer
from monai_gu2net.losses import HeatmapLoss
from monai_gu2net.networks import GU2Net

__all__ = ["TASKS"]

DOMAINS = {"head": 19, "hand": 37, "chest": 6}


def training(spec: Mapping[str, Any], *, size: Sequence[int], batch: int) -> Callable[[], Any]:
    """A step of the optimiser on one batch, as the bundles take it.

    Args:
        spec: ``device``; ``precision``; ``checkpointed``: activations are computed twice; or ``peer``.
        size: width and height.
        batch: number of images.
    """
    if "peer" in spec:
        return _peer(spec, size, batch)[0]
    network = _network().to(spec["device"], memory_format=torch.channels_last).train()
    if spec.get("checkpointed"):
        network.set_grad_checkpointing()
    image = _image(spec, size, batch)
    points = (torch.rand(batch, DOMAINS["head"], 2) * torch.tensor(size)).to(spec["device"])
    optimizer, loss = torch.optim.AdamW(network.parameters(), lr=1e-4), HeatmapLoss()
    inferer = LandmarkInferer(precision=spec["precision"])

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        loss(inferer(image, network, "head"), points).backward()
        optimizer.step()

    return step


def inference(spec: Mapping[str, Any], *, size: Sequence[int], batch: int) -> Callable[[], Any]:
    """Heatmaps of images.

    Args:
        spec: ``device``; ``backend`` and ``precision``, or ``unfolded``: the network as it was trained; or ``peer``.
        size: width and height.
        batch: number of images.
    """
    if "peer" in spec:
        return _peer(spec, size, batch)[1]
    network, image = _network().eval().to(spec["device"]), _image(spec, size, batch)
    if spec.get("unfolded"):
        network, inferer = network.to(memory_format=torch.channels_last), LandmarkInferer()
    else:
        from monai_gu2net.export import Backend  # an earlier version, which trains here as well, has none

        inferer = TTAInferer(compiled=Backend(spec["backend"], device=spec["device"], precision=spec["precision"]))
    return torch.no_grad()(lambda: inferer(image, network, "head"))


def _network() -> GU2Net:
    torch.manual_seed(0)
    return GU2Net(2, 1, DOMAINS, default_domain="head")


def _image(spec: Mapping[str, Any], size: Sequence[int], batch: int) -> torch.Tensor:
    image = torch.randn(batch, 1, *size, generator=torch.Generator().manual_seed(0))
    return image.to(spec["device"], memory_format=torch.channels_last)


def _peer(spec: Mapping[str, Any], size: Sequence[int], batch: int) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """Step and inference of ``module:callable``."""
    module, _, name = spec["peer"].partition(":")
    where = {} if spec["device"] == "cpu" else {"device": spec["device"]}
    build = getattr(importlib.import_module(module), name)
    step, infer = build(size=tuple(size), n_landmarks=DOMAINS["head"], batch=batch, **where)
    return step, infer


TASKS = {"training": training, "inference": inference}
