# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
import torch

from monai_gu2net.transforms import mean_logits


def test_it_is_the_mean_of_the_probabilities(rng: np.random.Generator) -> None:
    logits = [torch.from_numpy(rng.normal(scale=4, size=(2, 3, 5))) for _ in range(3)]
    expected = np.mean([1 / (1 + np.exp(-single.numpy())) for single in logits], axis=0)
    np.testing.assert_allclose(mean_logits(logits).sigmoid(), expected, rtol=1e-12)


@pytest.mark.parametrize("logit", [-90.0, 0.0, 90.0])
def test_probabilities_that_round_to_0_or_1_keep_their_logits(logit: float) -> None:
    pair = [torch.tensor([logit]), torch.tensor([logit])]
    torch.testing.assert_close(mean_logits(pair), torch.tensor([logit]))


def test_half_precision_is_averaged_in_single_precision() -> None:
    assert mean_logits([torch.zeros(2, dtype=torch.bfloat16)] * 2).dtype == torch.float32


def test_maps_of_different_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"all of one shape; got \[\(2,\), \(3,\)\]"):
        mean_logits([torch.zeros(2), torch.zeros(3)])
    with pytest.raises(ValueError, match=r"at least one tensor.*got \[\]"):
        mean_logits([])
