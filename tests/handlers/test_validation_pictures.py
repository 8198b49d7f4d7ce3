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
