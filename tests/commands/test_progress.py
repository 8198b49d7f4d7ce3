# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from types import SimpleNamespace

import pytest

from monai_gu2net.commands import options
from monai_gu2net.commands.options import progress


def test_the_bar_shows_things_per_second_and_a_line_says_what_the_whole_took(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    times = iter([100.0, 108.0])
    monkeypatch.setattr(options, "time", SimpleNamespace(monotonic=lambda: next(times)))
    with progress("predicting", 5, unit="image") as on_case:
        on_case(1)
        on_case(4)
    bar, line = capsys.readouterr().err.replace("\r", "\n").rstrip().rsplit("\n", 1)
    assert bar.rsplit("\n", 1)[-1].startswith("predicting:  80%")
    assert "4/5 [00:00<00:00" in bar
    assert "images/s]" in bar
    assert line == "4 image(s) in 8.0 s, 0.50 images per second"


def test_a_run_that_fails_has_no_such_line(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        with progress("predicting", 5) as on_case:
            on_case(1)
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        fail()
    assert "per second" not in capsys.readouterr().err
