# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import ctypes
import sys
from types import SimpleNamespace

import pytest

from monai_gu2net.engines import keep_freed_memory


def test_it_says_whether_the_c_library_took_it() -> None:
    assert type(keep_freed_memory()) is bool


def test_other_systems_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def untouched(name: str | None) -> None:
        raise AssertionError("loaded the C library")

    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(ctypes, "CDLL", untouched)
    assert keep_freed_memory() is False


def test_a_c_library_without_mallopt_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(ctypes, "CDLL", lambda name: SimpleNamespace())
    assert keep_freed_memory() is False


@pytest.mark.parametrize(("answers", "expected"), [((1, 1), True), ((0, 1), False), ((1, 0), False)])
def test_both_thresholds_are_raised(monkeypatch: pytest.MonkeyPatch, answers: tuple[int, int], expected: bool) -> None:
    asked: dict[int, int] = {}

    def mallopt(option: int, value: int) -> int:
        asked[option] = value
        return answers[len(asked) - 1]

    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(ctypes, "CDLL", lambda name: SimpleNamespace(mallopt=mallopt))
    assert keep_freed_memory() is expected
    if expected:
        assert asked == {-1: 2**31 - 1, -3: 2**30}  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD of malloc.h
