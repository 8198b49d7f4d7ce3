# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dicom_files import make_dicom, picture

from monai_gu2net.dicom import read_header
from monai_gu2net.dicom.orientation import orientation_of, turn_of


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (["L", "F"], "L\\F"),
        (["LF", "FA"], "LF\\FA"),
        (["", "H"], "\\H"),
        (["A", ""], "A\\"),
        (b"L\\F\0", "L\\F"),
        (b"L", ""),
        (b"L\\F\\H", ""),
        (b"DOE\\JANE", ""),
        (b"", ""),
        (b"\\", ""),
        (None, ""),
    ],
)
def test_an_orientation_is_two_directions_of_the_standard_or_none(tmp_path: Path, value: Any, expected: str) -> None:
    header = read_header(make_dicom(tmp_path / "a.dcm", picture(), PatientOrientation=value))
    assert orientation_of(header) == expected


# the axes that must be flipped so that columns lead to the feet, and rows to the left or the front
@pytest.mark.parametrize(
    ("orientation", "axes"),
    [
        ("L\\F", ()),
        ("A\\F", ()),
        ("LF\\FR", ()),
        ("R\\F", (0,)),
        ("L\\H", (1,)),
        ("R\\H", (0, 1)),
        ("A\\H", (1,)),
        ("P\\H", (0, 1)),
        ("PR\\HA", (0, 1)),
    ],
)
def test_a_chest_is_turned_so_that_columns_lead_to_the_feet(orientation: str, axes: tuple[int, ...]) -> None:
    turn = turn_of(orientation, "CHEST")
    assert turn.axes == axes
    assert turn.note.endswith("it was turned for the network, results are in pixels of the file") is bool(axes)


@pytest.mark.parametrize("part", ["HAND", "", "FOOT", "JANE"])
@pytest.mark.parametrize("orientation", ["R\\F", "L\\H", "R\\H", "A\\H", "P\\H"])
def test_where_up_is_not_known_it_is_said_and_nothing_turned(orientation: str, part: str) -> None:
    turn = turn_of(orientation, part)
    assert turn.axes == ()
    assert turn.note.startswith(f"PatientOrientation {orientation} says that the image is ")
    assert turn.note.endswith("; it was taken as it is")


@pytest.mark.parametrize(
    ("orientation", "reason"),
    [
        ("P\\F", "faces left"),
        ("F\\L", "lies on its side"),
        ("H\\A", "lies on its side"),
        ("A\\R", "lies on its side"),
        ("L\\R", "two things of one axis"),
        ("H\\F", "two things of one axis"),
        ("\\H", "upside down"),
        ("R\\", "mirrored"),
    ],
)
def test_what_cannot_be_turned_for_sure_is_said_alone(orientation: str, reason: str) -> None:
    turn = turn_of(orientation, "SKULL")
    assert turn.axes == ()
    assert reason in turn.note


@pytest.mark.parametrize("orientation", ["", "L\\F", "A\\F", "L\\P", "A\\", "\\F"])
@pytest.mark.parametrize("part", ["SKULL", "HAND", ""])
def test_nothing_is_said_of_what_is_usual_or_unknown(orientation: str, part: str) -> None:
    assert turn_of(orientation, part) == ((), "")


def test_the_metadata_have_the_orientation(tmp_path: Path) -> None:
    from monai_gu2net.data import RadiographReader

    path = make_dicom(tmp_path / "a.dcm", picture(), PatientOrientation=["P", "H"])
    array, meta = RadiographReader().get_data((path,))
    assert meta["patient_orientation"] == "P\\H"
    np.testing.assert_array_equal(array, picture().T)  # pixels are those of the file
