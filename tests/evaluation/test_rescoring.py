# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
from typing import Any

import pandas as pd
import pytest

from monai_gu2net.data import ReferenceLength
from monai_gu2net.evaluation import ORIGINAL, Grid, Protocol, named_protocol, rescore, result_table, summarize_rows

NAN = math.nan


def row(
    landmark: str,
    reference: tuple[float, float] | None,
    predicted: tuple[float, float] | None,
    *,
    domain: str = "head",
    image: tuple[float, float] = (832, 1024),
    spacing: tuple[float, float] | None = (0.25, 0.5),
    case: str = "1",
) -> dict[str, Any]:
    """A row as an evaluation writes it."""
    error = NAN if reference is None else math.inf
    scale = spacing or (1.0, 1.0)
    if reference is not None and predicted is not None:
        error = math.hypot(*((p - r) * s for p, r, s in zip(predicted, reference, scale, strict=True)))
    return {
        "case": case,
        "domain": domain,
        "landmark": landmark,
        "reference_x": reference and reference[0],
        "reference_y": reference and reference[1],
        "predicted_x": predicted and predicted[0],
        "predicted_y": predicted and predicted[1],
        "error": error,
        "unit": "mm" if spacing else "px",
        "spacing_source": "domain" if spacing else "none",
        "radius": 2.0,
        "image_x": image[0],
        "image_y": image[1],
        "spacing_x": spacing and spacing[0],
        "spacing_y": spacing and spacing[1],
    }


def test_the_original_protocol_leaves_rows_as_they_are():
    table = result_table([row("a", (10, 20), (13, 24)), row("b", (1, 1), None)])

    pd.testing.assert_frame_equal(rescore(table, ORIGINAL), table)


def test_a_head_is_scored_in_whole_pixels_of_the_grid_times_one_constant():
    """832 x 1024 is twice the grid: (100, 100) is (50, 50) there, and (106.9, 108.8) is (53.45, 54.4), so (53, 54)."""
    (scored,) = rescore([row("a", (100.0, 100.0), (106.9, 108.8))], named_protocol("paper")).to_dict("records")

    assert scored["error"] == pytest.approx(5 * 0.46875)  # a triangle of 3, 4 and 5 pixels
    assert scored["unit"] == "mm"
    assert scored["spacing_source"] == "416x512 grid, 0.46875 x 0.46875 mm per pixel"
    assert (scored["predicted_x"], scored["reference_x"]) == (106.9, 100.0)
    assert math.isnan(scored["radius"])


def test_the_grid_need_not_keep_the_aspect():
    """620 x 768 to 416 x 512: 93 pixels of the file are 62.4 of the grid along x, 96 are 64 along y."""
    rows = [row("a", (0, 0), (93, 0), image=(620, 768)), row("b", (0, 0), (0, 96), image=(620, 768))]

    along_x, along_y = rescore(rows, named_protocol("paper")).to_dict("records")

    assert along_x["error"] == pytest.approx(62 * 0.46875)
    assert along_y["error"] == pytest.approx(64 * 0.46875)


@pytest.mark.parametrize(("x", "expected"), [(1.0, 0), (3.0, 2), (5.0, 2), (7.0, 4), (-1.0, 0), (1.02, 1)])
def test_halves_are_rounded_to_the_even_pixel_as_python_rounds(x, expected):
    """Twice the grid, so that odd pixels of the file lie at halves."""
    protocol = Protocol(grids={"head": Grid(size=(416, 512), scale="px")}, whole_pixels=True)

    (scored,) = rescore([row("a", (0, 0), (x, 0))], protocol).to_dict("records")

    assert scored["error"] == expected == abs(round(x / 2))


def test_a_hand_is_scaled_by_the_wrist_of_the_reference_on_the_grid():
    """The wrist is 100 pixels wide on the grid and 50 mm, so a pixel is half a millimetre."""
    size = (736, 1024)
    rows = [
        row("wrist_ulnar", (100, 200), (100, 210), domain="hand", image=size),
        row("wrist_radial", (300, 200), (340, 200), domain="hand", image=size),
        row("thumb_tip", (400, 400), (400, 400), domain="hand", image=size),
    ]

    scored = rescore(rows, named_protocol("paper"))

    assert scored["error"].tolist() == pytest.approx([2.5, 10.0, 0.0])
    assert set(scored["unit"]) == {"mm"}


def test_the_wrist_gives_the_scale_even_when_it_does_not_count():
    protocol = named_protocol("paper", left_out={"hand": ["wrist_ulnar", "wrist_radial"]})
    rows = [
        row("wrist_ulnar", (100, 200), None, domain="hand", image=(368, 512)),
        row("wrist_radial", (200, 200), None, domain="hand", image=(368, 512)),
        row("thumb_tip", (40, 40), (40, 44), domain="hand", image=(368, 512)),
    ]

    (thumb,) = rescore(rows, protocol).to_dict("records")

    assert (thumb["landmark"], thumb["error"]) == ("thumb_tip", 2.0)


def test_a_hand_without_wrist_is_scored_in_pixels_of_the_grid():
    (scored,) = rescore(
        [row("thumb_tip", (40, 40), (40, 44), domain="hand", image=(368, 512))], named_protocol("paper")
    ).to_dict("records")

    assert (scored["error"], scored["unit"]) == (4.0, "px")
    assert scored["spacing_source"] == "368x512 grid, in its pixels"


def test_another_domain_keeps_its_aspect_with_the_longest_side_at_512():
    (scored,) = rescore(
        [row("a", (0, 0), (30, 40), domain="spine", image=(256, 1024))], named_protocol("paper")
    ).to_dict("records")

    assert (scored["error"], scored["unit"]) == (25.0, "px")


def test_a_grid_may_keep_the_scale_of_the_file():
    """On a grid of half the size a pixel measures twice as much: without rounding the error is the same."""
    rows = [row("a", (100, 100), (107, 111))]

    (scored,) = rescore(rows, Protocol(other_grid=Grid(size=(416, 512)))).to_dict("records")

    assert scored["error"] == pytest.approx(rows[0]["error"])
    assert (scored["unit"], scored["spacing_source"]) == ("mm", "domain")


def test_whole_pixels_of_the_file_need_no_grid():
    (scored,) = rescore([row("a", (10.4, 20.0), (12.6, 20.0))], Protocol(whole_pixels=True)).to_dict("records")

    assert scored["error"] == pytest.approx(3 * 0.25)


def test_rounding_never_moves_an_error_by_more_than_a_pixels_diagonal(rng):
    points = rng.random((200, 2, 2)) * 500
    rows = [row(str(n), tuple(a), tuple(b), image=(512, 512), spacing=None) for n, (a, b) in enumerate(points)]

    scored = rescore(rows, Protocol(other_grid=Grid(size=(512, 512)), whole_pixels=True))

    moved = [abs(after - before["error"]) for before, after in zip(rows, scored["error"], strict=True)]
    assert 0.1 < max(moved) <= math.sqrt(2)


def test_landmarks_not_annotated_and_not_found_stay_so():
    rows = [row("a", None, (1, 1)), row("b", (1, 1), None), row("c", None, None)]

    errors = rescore(rows, named_protocol("paper"))["error"].tolist()

    assert errors == pytest.approx([NAN, math.inf, NAN], nan_ok=True)


def test_a_landmark_left_out_does_not_count():
    rows = [row("a", (0, 0), (4, 0)), row("b", (0, 0), (400, 0)), row("b", (0, 0), (1, 0), domain="hand")]

    kept = rescore(rows, Protocol(left_out={"head": ["b"]}))

    assert kept[["domain", "landmark"]].values.tolist() == [["head", "a"], ["hand", "b"]]
    assert summarize_rows(kept)["mre"][0] == 1.0


def test_a_reference_length_is_taken_of_each_case():
    grid = Grid(size=(100, 100), scale=ReferenceLength("a", "b", 10.0))
    rows = [
        row(name, (x, 0), (x, 2), image=(100, 100), case=case)
        for case, wide in (("1", 10), ("2", 20))
        for name, x in (("a", 0), ("b", wide))
    ]

    assert rescore(rows, Protocol(other_grid=grid))["error"].tolist() == [2.0, 2.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"image_x": None}, r"Case '1' of domain 'head' must have image_x and image_y; got \[nan, 1024"),
        ({"reference_x": None}, "Case '1' of domain 'head' must have the reference and predicted points of its errors"),
        ({"predicted_y": None}, "Case '1' of domain 'head' must have the reference and predicted points of its errors"),
        ({"predicted_z": 1.0}, "Case '1' of domain 'head' must be a picture .* got a volume"),
        ({"reference_z": 1.0}, "Case '1' of domain 'head' must be a picture .* got a volume"),
    ],
)
def test_what_a_grid_needs_is_asked_for(changed, message):
    with pytest.raises(ValueError, match=message):
        rescore([row("a", (1, 1), (2, 2)) | changed], named_protocol("paper"))


def test_the_files_scale_is_asked_for_where_a_grid_needs_it():
    with pytest.raises(ValueError, match="must have spacing_x and spacing_y; got none"):
        rescore([row("a", (1, 1), (2, 2)) | {"spacing_x": None}], Protocol(whole_pixels=True))


def test_an_error_at_the_threshold_is_detected_unless_the_protocol_is_strict():
    rows = [row("a", (0, 0), (8, 0)), row("b", (0, 0), (4, 0))]
    assert [one["error"] for one in rows] == [2.0, 1.0]

    loose, strict = (summarize_rows(rows, thresholds=[2.0], strict=strict).iloc[0] for strict in (False, True))

    assert (loose["sdr_2"], loose["within"]) == (100, "<=")
    assert (strict["sdr_2"], strict["within"]) == (50, "<")


def test_the_order_of_rows_is_kept(rng):
    rows = [row(str(n % 3), (1, 1), (2, 2), case=str(n // 3)) for n in range(12)]
    order = rng.permutation(12)

    scored = rescore([rows[n] for n in order], named_protocol("paper"))

    assert scored[["case", "landmark"]].values.tolist() == [[str(n // 3), str(n % 3)] for n in order]
