# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import torch
from ignite.engine import Engine
from monai.data import MetaTensor
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from monai_gu2net.handlers import ValidationPictures


def test_the_first_case_of_each_domain_is_drawn_at_every_validation(tmp_path: Path) -> None:
    def step(engine: Engine, domain: str) -> list[dict[str, object]]:
        points = torch.tensor([[4.0, 5.0]])
        engine.state.batch = [
            {"image": MetaTensor(torch.rand(1, 16, 24)), "points": points, "domain": domain, "case": "1"}
        ]
        return [{"pred_points": points + 1}]

    validator = Engine(step)  # type: ignore[arg-type]
    ValidationPictures(tmp_path).attach(validator)
    for _ in range(2):
        validator.run(["head", "head", "hand"])
    events = EventAccumulator(str(tmp_path)).Reload()
    assert events.Tags()["images"] == ["validation/head", "validation/hand"]
    assert [event.step for event in events.Images("validation/head")] == [1, 2]
    assert events.Images("validation/head")[0].height > events.Images("validation/head")[0].width


def test_of_a_volume_there_are_projections_and_slices(tmp_path: Path) -> None:
    def step(engine: Engine, unit: str) -> list[dict[str, object]]:
        points = torch.tensor([[4.0, 5.0, 6.0], [2.0, 2.0, 2.0]])
        image = MetaTensor(torch.rand(1, 16, 12, 10), affine=torch.diag(torch.tensor([1.0, 1, 2, 1])))
        engine.state.batch = [{"image": image, "points": points, "domain": unit, "case": "1", "unit": unit}]
        return [{"pred_points": points + 1}]

    validator = Engine(step)  # type: ignore[arg-type]
    ValidationPictures(tmp_path).attach(validator)
    validator.run(["mm", "px"])
    events = EventAccumulator(str(tmp_path)).Reload()
    known, unknown = (events.Images(f"validation/{unit}")[0] for unit in ("mm", "px"))
    assert known.width == unknown.width
    assert known.height > unknown.height  # the third axis is 20 mm long, or 10 voxels
