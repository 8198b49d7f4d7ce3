# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from monai_gu2net.prediction.polarity import TURNED, logits_of_either_polarity


def looks(upright: float, inverse: float, seen: list[float]) -> Callable[[torch.Tensor], torch.Tensor]:
    """A network that finds one landmark with one confidence in a positive image and with another in a negative one."""

    def look(image: torch.Tensor) -> torch.Tensor:
        value = float(image[0, 0, 1, 1])
        seen.append(value)
        heatmap = torch.full((1, 1, 5, 5), 1e-6)
        heatmap[0, 0, 2, 2] = upright if value > 0 else inverse
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
    logits, said = logits_of_either_polarity(torch.full((1, 1, 5, 5), 2.0), looks(upright, inverse, seen))
    assert said == (TURNED if turned else "")
    assert float(logits.sigmoid().max()) == pytest.approx(inverse if turned else upright)
    assert seen == [2.0, -2.0]


def test_an_image_whose_landmarks_are_recognised_is_looked_at_once() -> None:
    seen: list[float] = []
    logits_of_either_polarity(torch.full((1, 1, 5, 5), 2.0), looks(0.7, 0.9, seen))
    assert seen == [2.0]


def test_heatmaps_of_nan_turn_nothing() -> None:
    _, said = logits_of_either_polarity(torch.ones(1, 1, 5, 5), lambda image: torch.full((1, 1, 5, 5), torch.nan))
    assert said == ""
