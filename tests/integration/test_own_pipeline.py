# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The code of ``docs/how_to/own_pipeline.md``, block by block in one namespace."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.utils import set_determinism

from monai_gu2net.phantom import phantom_case
from monai_gu2net.transforms import HeatmapsToLandmarksd

pytestmark = pytest.mark.integration

PAGE = Path(__file__).parents[2] / "docs" / "how_to" / "own_pipeline.md"


def test_the_code_of_the_page_trains_and_measures_in_mm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    try:
        for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
            exec(block, names)
    finally:
        set_determinism(None)  # the page sets it

    assert names["losses"][-1] < 0.8 * names["losses"][0]
    in_mm = []
    for index in range(8):
        _, points, spacing = phantom_case("hand", seed=0, index=index)
        in_mm.append(points * spacing)
    # the last batch holds the last four cases, unmoved
    for sample, truth in zip(names["samples"], in_mm[4:], strict=True):
        np.testing.assert_allclose(sample["landmarks"], truth, atol=1e-3)
        drawn = {"pred": sample["heatmaps"], "image": sample["image"]}
        decoded = HeatmapsToLandmarksd("pred", sigmoid=False)(drawn)["pred_points"]
        inside = sample["points"].isfinite().all(dim=-1)
        # half a hundredth of a pixel: the refinement of a sampled Gaussian is that good away from the border
        assert (decoded - sample["points"])[inside].abs().median() < 0.005
    measured = names["metric"].get_buffer().reshape(8, -1)
    last = np.stack([sample["pred_landmarks"].numpy() for sample in names["samples"]])
    np.testing.assert_allclose(measured[4:], np.linalg.norm(last - np.stack(in_mm[4:]), axis=-1), atol=1e-3)
    assert names["values"]["hand_mre"] == pytest.approx(np.nanmean(measured.numpy()))
    assert torch.equal(names["in_pixels"].get_buffer(), torch.tensor([2.5], dtype=torch.float64))
    saved = json.loads(Path("found.mrk.json").read_text())["markups"][0]["controlPoints"]
    np.testing.assert_allclose([point["position"][:2] for point in saved], last[0], atol=1e-4)
