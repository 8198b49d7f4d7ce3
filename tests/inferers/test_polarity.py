# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
import torch
from monai.data import MetaTensor, decollate_batch, list_data_collate

from monai_gu2net.inferers import TTAInferer
from monai_gu2net.inferers.polarity import TURNED, logits_of_either_polarity
from monai_gu2net.transforms import HeatmapsToLandmarksd


def looks(upright: float, inverse: float, seen: list[float]) -> Callable[[torch.Tensor], torch.Tensor]:
    """A network that finds one landmark with one confidence in a positive image and with another in a negative one."""

    def look(image: torch.Tensor) -> torch.Tensor:
        seen.extend(image[:, 0, 1, 1].tolist())
        heatmap = torch.full((len(image), 1, 5, 5), 1e-6)
        heatmap[:, 0, 2, 2] = torch.where(image[:, 0, 1, 1] > 0, upright, inverse)
        return heatmap.logit()

    return look


@pytest.mark.parametrize(
    ("upright", "inverse", "turned"),
    [(0.1, 0.8, True), (0.4, 0.5, False), (0.4, 0.62, True), (0.05, 0.2, False), (0.6, 0.3, False)],
)
def test_an_image_is_turned_where_its_inverse_is_recognised_half_again_as_surely(
    upright: float, inverse: float, turned: bool
) -> None:
    seen: list[float] = []
    logits = logits_of_either_polarity(torch.full((1, 1, 5, 5), 2.0), looks(upright, inverse, seen))
    assert isinstance(logits, MetaTensor) == turned
    assert float(logits.sigmoid().max()) == pytest.approx(inverse if turned else upright)
    assert seen == [2.0, -2.0]


def test_an_image_whose_landmarks_are_recognised_is_looked_at_once() -> None:
    seen: list[float] = []
    logits_of_either_polarity(torch.full((1, 1, 5, 5), 2.0), looks(0.7, 0.9, seen))
    assert seen == [2.0]


def test_of_a_batch_only_the_inverted_image_is_turned_and_said_so(caplog: pytest.LogCaptureFixture) -> None:
    """The second image is the negative of what the network knows. MONAI's engines take the batch apart so."""
    batch = list_data_collate(
        [
            {"image": MetaTensor(torch.full((1, 5, 5), value)), "image_file": name}
            for value, name in ((2.0, "a.png"), (-2.0, "b.png"), (3.0, "c.png"))
        ]
    )
    seen: list[float] = []
    logits = TTAInferer()(batch["image"], looks(0.9, 0.1, seen))  # type: ignore[arg-type]
    assert seen == [2.0, -2.0, 3.0, 2.0]
    torch.testing.assert_close(logits.sigmoid().amax(dim=(1, 2, 3)), torch.tensor([0.9, 0.9, 0.9]))
    with caplog.at_level(logging.WARNING):
        found = [HeatmapsToLandmarksd()(sample) for sample in decollate_batch(batch | {"pred": logits})]
    assert [sample.get("polarity", "") for sample in found] == ["", TURNED, ""]
    assert [record.getMessage() for record in caplog.records] == [f"b.png: {TURNED}"]


def test_a_volume_is_looked_at_once() -> None:
    """Its values have a meaning that nobody inverts."""
    seen: list[float] = []
    look = looks(0.1, 0.9, seen)
    volume = torch.full((1, 1, 5, 5, 5), 2.0)
    logits = TTAInferer()(volume, lambda image: look(image[..., 2]).unsqueeze(-1))  # type: ignore[arg-type]
    assert seen == [2.0]
    assert not isinstance(logits, MetaTensor)


def test_heatmaps_of_nan_turn_nothing() -> None:
    logits = logits_of_either_polarity(torch.ones(1, 1, 5, 5), lambda image: torch.full((1, 1, 5, 5), torch.nan))
    assert not isinstance(logits, MetaTensor)
