# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import logging
from typing import Any

import pytest
from monai.transforms import Compose, Lambda

from monai_gu2net.prediction.failures import Failures

CASE = {"case": "1", "domain": "d"}


def refuse(case: dict[str, Any]) -> None:
    raise ValueError(f"{case['case']} must be even")


def test_a_case_that_fails_is_listed_and_the_run_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    failures = Failures()
    with caplog.at_level(logging.WARNING), failures.of(CASE, "left out"):
        refuse(CASE)
    with failures.of(CASE, "not wholly saved", with_what=True):
        refuse(CASE)
    with failures.of(CASE, "failed"):
        pass
    assert [(each["case"], each["domain"], each["reason"]) for each in failures] == [
        ("1", "d", "1 must be even"),
        ("1", "d", "not wholly saved: 1 must be even"),
    ]
    assert "Case 1 of domain d left out: 1 must be even" in caplog.text


def test_errors_of_other_kinds_are_raised() -> None:
    failures = Failures()
    with pytest.raises(ValueError, match="must be even"), failures.of(CASE, "failed", kinds=KeyError):
        refuse(CASE)
    with pytest.raises(ValueError, match="must be even"), failures.of(CASE, "failed", kinds=()):
        refuse(CASE)
    assert failures == []


def test_a_full_disk_stops_the_run_whatever_wraps_its_error() -> None:
    with pytest.raises(OSError, match="No space left"), Failures().of(CASE, "failed"):
        raise RuntimeError("applying transform") from OSError(28, "No space left on device")


@pytest.mark.parametrize("depth", [0, 1, 2, 3])
def test_the_reason_is_what_the_innermost_transform_said(depth: int) -> None:
    transform: Any = Lambda(refuse) if depth else refuse
    for _ in range(depth):
        transform = Compose([transform])
    failures = Failures()
    with failures.of(CASE, "left out"):
        transform(CASE)
    assert failures[0]["reason"] == "1 must be even"


def test_an_error_without_words_gives_its_name() -> None:
    failures = Failures()
    with failures.of(CASE, "failed"):
        raise NotImplementedError
    assert failures[0]["reason"] == "NotImplementedError"
