# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from PIL import Image
from series_files import make_series, oblique_affine

from monai_gu2net.data import Datalist, Domain, cases_in_frame, datalist_in_frame, outside_landmarks

PLANE = Domain("plane", ("a", "b"), (16, 16))
SPACE = Domain("space", ("a", "b"), (16, 16, 16))
DOMAINS = {"plane": PLANE, "space": SPACE}


def case(image: Path, points: list[Any] | None, domain: str = "plane", **fields: Any) -> dict[str, Any]:
    made = {"image": str(image), "domain": domain, "case": image.name.split(".")[0], **fields}
    return made if points is None else {**made, "landmarks": points}


def png(path: Path, size: tuple[int, int] = (20, 30), **options: Any) -> Path:
    Image.new("L", size).save(path, **options)
    return path


def kept(one: dict[str, Any]) -> tuple[list[Any], list[str]]:
    (found,) = cases_in_frame([one], DOMAINS, allow_outside=1)
    return found["landmarks"], found.get("outside", [])


def test_the_frame_ends_at_the_outer_edges_of_the_pixels(tmp_path: Path) -> None:
    """20 x 30 pixels: from -0.5 to 19.5 and to 29.5."""
    image = png(tmp_path / "1.png")
    assert kept(case(image, [[-0.5, 29.5], [19.5, -0.5]])) == ([[-0.5, 29.5], [19.5, -0.5]], [])
    assert kept(case(image, [[-0.51, 3], [3, 29.51]])) == ([None, None], ["a", "b"])
    assert kept(case(image, [None, [25, 3]])) == ([None, None], ["b"])


def test_the_frame_is_that_of_the_upright_picture(tmp_path: Path) -> None:
    """A photograph of 20 x 30 pixels that is shown turned by a quarter (EXIF orientation 6): 30 wide, 20 high."""
    exif = Image.Exif()
    exif[0x0112] = 6
    image = png(tmp_path / "1.jpg", exif=exif)
    assert kept(case(image, [[29, 19], [19, 29]])) == ([[29, 19], None], ["b"])


def test_the_frame_of_a_dicom_image_is_columns_by_rows(tmp_path: Path, make_dicom: Callable[..., Path]) -> None:
    image = make_dicom(tmp_path / "1.dcm", np.zeros((20, 30), np.uint16))
    assert kept(case(image, [[29, 19], [19, 29]])) == ([[29, 19], None], ["b"])


def test_the_frame_of_a_volume_has_three_axes(tmp_path: Path) -> None:
    path = tmp_path / "1.nii.gz"
    nibabel.save(nibabel.Nifti1Image(np.zeros((4, 5, 6), np.float32), np.eye(4)), path)
    assert kept(case(path, [[3, 4, 5], [3, 4, 6]], "space")) == ([[3, 4, 5], None], ["b"])


def test_the_frame_of_a_series_is_columns_by_rows_by_slices(tmp_path: Path) -> None:
    folder = make_series(tmp_path / "ct", np.zeros((6, 5, 4), np.uint16), oblique_affine())
    assert kept(case(folder, [[5.4, 4.4, 3.4], [5.6, 0.0, 0.0]], "space")) == ([[5.4, 4.4, 3.4], None], ["b"])
    assert kept(case(folder, [[0.0, 4.6, 0.0], [0.0, 0.0, 3.6]], "space")) == ([None, None], ["a", "b"])


def test_an_image_that_cannot_be_read_keeps_its_landmarks(tmp_path: Path) -> None:
    (tmp_path / "torn.png").write_text("words")
    for name in ("torn.png", "gone.png", "gone.nii"):
        assert kept(case(tmp_path / name, [[99, 99], [1, 1]])) == ([[99, 99], [1, 1]], [])


def test_the_share_is_that_of_a_domain_over_all_splits(tmp_path: Path) -> None:
    """3 landmarks are there and 1 of them is outside; the other domain's do not thin it out."""
    images = [png(tmp_path / f"{n}.png") for n in range(3)]
    other = Domain("other", ("a", "b"), (16, 16))
    training = [case(images[0], [[1, 1], [1, 1]])]
    test = [case(images[1], [[99, 1], None]), case(images[2], [[1, 1], [1, 1]], "other")]
    data = Datalist("x", {"plane": PLANE, "other": other}, training, test=test)
    found = datalist_in_frame(data, allow_outside=0.34)
    assert [item.name for item in outside_landmarks(found.cases("all"))] == ["plane 1: a"]
    with pytest.raises(ValueError, match=r"domain 'plane' must lie inside .* share of 0\.33; got 1 of 3 outside"):
        datalist_in_frame(data, allow_outside=0.33)


def test_those_said_to_lie_outside_before_are_not_asked_again(tmp_path: Path) -> None:
    one = case(png(tmp_path / "1.png"), [None, [1, 1]], outside=["a"])
    (found,) = cases_in_frame([one], DOMAINS, allow_outside=0)
    assert found["outside"] == ["a"]
    with pytest.raises(ValueError, match=r"got 1 of 1 outside \(plane 1: b\)"):
        cases_in_frame([one | {"landmarks": [None, [99, 1]]}], DOMAINS, allow_outside=0.5)


def test_a_share_is_from_0_to_1(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="allow_outside must be a share from 0 to 1; got 5"):
        cases_in_frame([case(png(tmp_path / "1.png"), None)], DOMAINS, allow_outside=5)
