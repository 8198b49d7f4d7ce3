# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch

from monai_gu2net.engines import batch_of_process


def state(folder: Path, **options: int) -> Path:
    path = folder / "last.pt"
    torch.save({"options": options}, path)
    return path


def test_a_run_that_begins_has_the_batch_it_asks_for(tmp_path: Path) -> None:
    assert batch_of_process(3, processes=2) == 3
    assert batch_of_process(3, processes=2, resumed=tmp_path / "none.pt") == 3


@pytest.mark.parametrize(("before", "after", "batch"), [(2, 1, 4), (1, 2, 2), (2, 4, 1), (4, 2, 2)])
def test_a_step_keeps_its_samples_with_another_number_of_processes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, before: int, after: int, batch: int
) -> None:
    assert batch_of_process(7, processes=after, resumed=state(tmp_path, batch_size=4, processes=before)) == batch
    assert f"{after} process(es) instead of {before}: each takes {batch} of the 4" in caplog.text


def test_with_as_many_processes_the_batch_stays_what_is_asked_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Another one is refused where the options are compared."""
    caplog.set_level(logging.INFO)
    assert batch_of_process(7, processes=2, resumed=state(tmp_path, batch_size=4, processes=2)) == 7
    assert batch_of_process(7, resumed=state(tmp_path, batch_size=4)) == 7  # of a version that noted no processes
    assert caplog.text == ""


def test_samples_that_cannot_be_shared_evenly_are_refused(tmp_path: Path) -> None:
    path = state(tmp_path, batch_size=4, processes=2)
    with pytest.raises(ValueError, match=r"share its 4 samples a step evenly; got 3\. Go on with one of 1, 2, 4"):
        batch_of_process(2, processes=3, resumed=path)
