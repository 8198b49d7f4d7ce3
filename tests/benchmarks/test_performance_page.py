# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
from pathlib import Path

from timing import page
from timing.results import Results

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "performance.md"


def test_the_tables_of_the_page_are_those_of_the_stored_runs() -> None:
    text = PAGE.read_text(encoding="utf-8")
    found = page.tables(Results(DOCS / page.FOLDER / "speed.jsonl"), DOCS / page.FOLDER)
    assert page.filled(text, found) == text


def test_every_table_that_is_measured_stands_on_the_page() -> None:
    found = page.tables(Results(DOCS / page.FOLDER / "speed.jsonl"), DOCS / page.FOLDER)
    assert set(re.findall(r"<!-- begin (\S+) -->", PAGE.read_text(encoding="utf-8"))) == set(found)


def test_the_page_says_no_measured_figure_but_in_its_tables() -> None:
    text = re.sub(r"<!-- begin \S+ -->.*?<!-- end -->|```.*?```", "", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert not re.findall(r"\d+(?:\.\d+)? ?(?:ms|s|MiB|GiB|GFLOP|x|times|mm)\b(?!\d)", text)


def test_page_and_readme_say_that_cuda_is_untested_until_something_was_run_on_it() -> None:
    on_cuda = any(row.get("device") == "cuda" for row in Results(DOCS / page.FOLDER / "speed.jsonl").rows)
    for path in (PAGE, DOCS.parent / "README.md"):
        assert ("CUDA is untested" in path.read_text(encoding="utf-8")) is not on_cuda, path.name
