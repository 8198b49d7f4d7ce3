# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from monai_gu2net.data.case_names import FileNames


@given(cases=st.lists(st.text(max_size=8) | st.sampled_from(["a b", "a_b", "A_b", "a_b~2", "../x", "..", "coco"])))
def test_no_two_cases_share_a_name_and_every_name_is_a_plain_file(cases: list[str]) -> None:
    names = FileNames(reserved=("coco",))
    found = {case: names(("d", case)) for case in cases}
    assert len({name.casefold() for name in found.values()} | {"coco"}) == len(found) + 1
    assert all(re.fullmatch(r"[\w~-][\w.~-]*", name, re.ASCII) for name in found.values())
    assert found == {case: names(("d", case)) for case in reversed(cases)}


def test_cases_of_one_name_in_two_domains_are_apart() -> None:
    names = FileNames()
    assert [names(("head", "1")), names(("hand", "1"))] == ["1", "1~2"]


def test_a_name_that_no_file_system_takes_is_shortened() -> None:
    assert len(FileNames()(("d", "x" * 5000))) == 120


@given(cases=st.lists(st.text("ab.mrkspMRK", max_size=6), unique=True))
def test_no_file_of_a_case_has_the_name_of_another_cases(cases: list[str]) -> None:
    names = FileNames()
    endings = ("json", "csv", "mrk.json", "png", "sr.dcm", "text.dcm", "pr.dcm", "sc.dcm")
    files = [f"{names(('d', case))}.{ending}".casefold() for case in cases for ending in endings]
    assert len(set(files)) == len(files)
