# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

import pytest

from monai_gu2net.data import ReferenceLength
from monai_gu2net.evaluation import Grid, Protocol, named_protocol
from monai_gu2net.landmarks.anatomical_names import HAND_LANDMARKS


def test_the_papers_grids_are_the_authors_input_sizes():
    paper = named_protocol("paper")

    assert (paper.grid_of("head").size, paper.grid_of("head").scale) == ((416, 512), (0.46875, 0.46875))
    assert paper.grid_of("hand").size == (368, 512)
    assert (paper.grid_of("chest").size, paper.grid_of("chest").scale) == ((512, 512), "px")
    assert (paper.grid_of("knee").longest_side, paper.grid_of("knee").scale) == (512, "px")
    assert (paper.whole_pixels, paper.strict) == (True, False)


def test_the_papers_wrist_is_the_first_and_the_fifth_landmark():
    scale = named_protocol("paper").grid_of("hand").scale

    assert scale == ReferenceLength(HAND_LANDMARKS[0], HAND_LANDMARKS[4], 50.0)


def test_the_original_protocol_changes_no_row_and_the_papers_does():
    assert not named_protocol("original", strict=True).changes_rows
    assert named_protocol("paper").changes_rows
    assert named_protocol(left_out={"head": ["a"]}).changes_rows


def test_an_unknown_protocol_is_refused():
    with pytest.raises(ValueError, match=r"protocol must be among \['original', 'paper'\]; got 'challenge'"):
        named_protocol("challenge")


@pytest.mark.parametrize(
    ("left_out", "message"),
    [
        ({"knee": ["a"]}, r"must name domains among \['head'\]; got 'knee'"),
        ({"head": ["a", "c"]}, r"landmarks of domain 'head' among \['a', 'b'\]; got \['c'\]"),
    ],
)
def test_what_is_left_out_must_be_there(left_out, message):
    with pytest.raises(ValueError, match=message):
        Protocol(left_out=left_out).check({"head": ["a", "b"]})


def test_volumes_are_scored_in_the_files_own_voxels_alone():
    Protocol().check({"skull": ["a"]}, volumes=["skull"])
    for protocol in (named_protocol("paper"), Protocol(name="whole", whole_pixels=True)):
        with pytest.raises(ValueError, match=rf"Domain 'skull' must be of pictures .* protocol '{protocol.name}'"):
            protocol.check({"skull": ["a"], "head": ["b"]}, volumes=["skull"])


def test_a_grid_has_one_size():
    with pytest.raises(ValueError, match=r"must have size or longest_side; got \(4, 4\) and 8"):
        Grid(size=(4, 4), longest_side=8)
    with pytest.raises(ValueError, match="size must be positive; got 0"):
        Grid(longest_side=0)


def test_the_words_tell_every_domain_apart():
    protocol = named_protocol("paper", strict=True, left_out={"head": ["b"]})

    words = Protocol(**{**vars(protocol), "ground_truth": {"head": "junior"}}).words(["head", "hand", "knee"])

    assert words["Ground truth"] == "head: junior; hand: as in the datalist; knee: as in the datalist"
    assert "rounded to whole pixels" in words["Radial error"]
    assert "head: 416x512 grid, 0.46875 x 0.46875 mm per pixel" in words["Radial error"]
    assert "hand: 368x512 grid, 50 mm from wrist_ulnar to wrist_radial of the reference" in words["Radial error"]
    assert "knee: grid with the longest side 512, in its pixels" in words["Radial error"]
    assert "within a threshold (<)" in words["Detection rate (SDR)"]
    assert words["Landmarks left out"] == "head: b"


def test_the_words_are_said_once_where_all_domains_agree():
    words = Protocol().words(["head", "hand"])

    assert words["Ground truth"] == "as in the datalist"
    assert words["Radial error"].endswith(
        "sub-pixel, on pixels of the image file, times its spacing where that is known"
    )
    assert words["Landmarks left out"] == "none"


def test_the_protocol_can_be_kept_as_json():
    content = json.loads(json.dumps(named_protocol("paper", left_out={"head": ("b",)}).to_dict()))

    assert content["grids"]["head"] == {"size": [416, 512], "longest_side": None, "scale": [0.46875, 0.46875]}
    assert content["grids"]["hand"]["scale"] == {"between": ["wrist_ulnar", "wrist_radial"], "mm": 50.0}
    assert content["thresholds"]["hand"] == [2.0, 4.0, 10.0]
    assert (content["left_out"], content["whole_pixels"]) == ({"head": ["b"]}, True)
