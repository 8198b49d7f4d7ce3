# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import pytest
import torch

from monai_gu2net.engines import PrepareDomainBatch


@pytest.fixture
def batch() -> dict[str, Any]:
    return {
        "image": torch.randn(2, 1, 4, 4),
        "points": torch.randn(2, 3, 2),
        "domain": ["head", "head"],
        "case": ["1", "2"],
    }


def test_a_batch_splits_into_image_points_and_the_name_of_its_domain(batch: dict[str, Any]) -> None:
    image, points, arguments, options = PrepareDomainBatch()(batch, device="cpu")
    torch.testing.assert_close(image, batch["image"])
    torch.testing.assert_close(points, batch["points"])
    assert (arguments, options) == (("head",), {})


def test_a_batch_without_points_has_no_target(batch: dict[str, Any]) -> None:
    del batch["points"]
    assert PrepareDomainBatch()(batch)[1] is None


def test_image_and_points_go_to_the_device(batch: dict[str, Any]) -> None:
    image, points, *_ = PrepareDomainBatch()(batch, device="meta", non_blocking=True)
    assert image.device.type == points.device.type == "meta"


def test_a_batch_of_several_domains_is_refused(batch: dict[str, Any]) -> None:
    batch["domain"] = ["head", "hand"]
    with pytest.raises(ValueError, match=r"A batch must be of one domain; got \['hand', 'head'\]\. Use Domain"):
        PrepareDomainBatch()(batch)
