# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from monai.transforms import Compose, Lambda
from torch.utils.data import DataLoader

from monai_gu2net.data import Domain, TolerantDataset
from monai_gu2net.transforms import RadiographPreprocessing

CASES = [{"case": str(n), "domain": "d", "value": n} for n in range(4)]


def halved(case: dict[str, Any]) -> dict[str, Any]:
    if case["value"] % 2:
        raise ValueError(f"{case['value']} must be even")
    case["value"] //= 2
    return case


def test_cases_that_fail_are_listed_and_the_others_go_on(caplog: pytest.LogCaptureFixture) -> None:
    counts: list[int] = []
    dataset = TolerantDataset(CASES, halved, on_case=counts.append)
    with caplog.at_level(logging.WARNING):
        assert [sample["value"] for sample in dataset] == [0, 1]
    assert counts == [1, 2, 3, 4]
    assert dataset.failures == [
        {"case": "1", "domain": "d", "reason": "1 must be even"},
        {"case": "3", "domain": "d", "reason": "3 must be even"},
    ]
    assert "Case 1 of domain d left out: 1 must be even" in caplog.text
    assert [case["value"] for case in CASES] == [0, 1, 2, 3]


def test_a_second_pass_lists_its_own_failures_alone() -> None:
    dataset = TolerantDataset(CASES, halved)
    list(dataset)
    list(dataset)
    assert len(dataset.failures) == 2


@pytest.mark.parametrize("depth", [0, 1, 2, 3])
def test_the_reason_is_what_the_innermost_transform_said(depth: int) -> None:
    transform: Any = Lambda(halved) if depth else halved
    for _ in range(depth):
        transform = Compose([transform])
    dataset = TolerantDataset(CASES[1:2], transform)
    assert list(dataset) == []
    assert dataset.failures[0]["reason"] == "1 must be even"


def test_an_error_without_words_gives_its_name() -> None:
    def speechless(case: dict[str, Any]) -> None:
        raise NotImplementedError

    dataset = TolerantDataset(CASES[:1], speechless)
    assert list(dataset) == []
    assert dataset.failures[0]["reason"] == "NotImplementedError"


def test_a_broken_image_is_named_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_text("no picture")
    domains = {"d": Domain("d", ("a",), (8, 8))}
    case = {"image": str(tmp_path / "x.png"), "domain": "d", "case": "x"}
    dataset = TolerantDataset([case], Compose([RadiographPreprocessing(domains)]))
    assert list(dataset) == []
    reason = dataset.failures[0]["reason"]
    assert reason.startswith("x.png must be a whole picture; got cannot identify image file")
    assert reason.count("must be") == reason.count("Export it again.") == 1


def test_a_data_loader_takes_it() -> None:
    loader = DataLoader(TolerantDataset(CASES, halved), batch_size=2)
    assert [batch["case"] for batch in loader] == [["0", "2"]]
