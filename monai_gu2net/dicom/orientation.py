# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Which way up a radiograph is stored, and what makes it upright."""

from __future__ import annotations

import re
from typing import NamedTuple

from pydicom.dataset import Dataset

__all__ = ["Turn", "orientation_of", "turn_of"]

_DIRECTION = re.compile("[ALPRHF]{0,3}")
_AXES = ({"L", "R"}, {"A", "P"}, {"H", "F"})
# PS3.16, CID 4009 and annex L: parts whose radiographs have the head's end on top, by their names in BodyPartExamined.
# Hand, arm and foot are not among them: towards the feet, as the standard counts, is up in a usual radiograph of a hand
_HEAD_ON_TOP = frozenset(
    {
        "ABDOMEN",
        "CHEST",
        "CSPINE",
        "CLAVICLE",
        "COCCYX",
        "FACE",
        "FEMUR",
        "HEAD",
        "HIP",
        "JAW",
        "KNEE",
        "LEG",
        "LSPINE",
        "MANDIBLE",
        "MAXILLA",
        "NECK",
        "ORBIT",
        "PELVIS",
        "RIB",
        "SACRUM",
        "SCAPULA",
        "SHOULDER",
        "SIJOINT",
        "SKULL",
        "SPINE",
        "SSPINE",
        "STERNUM",
        "THIGH",
        "THORAX",
        "TIBIA",
        "TLSPINE",
        "TSPINE",
        "WHOLEBODY",
        "WHOLESPINE",
        "ZYGOMA",
    }
)


class Turn(NamedTuple):
    """What makes an image upright.

    Args:
        axes: to flip, of (W, H): 0 left and right, 1 up and down; empty: none.
        note: what there is to say of it; empty: nothing.
    """

    axes: tuple[int, ...] = ()
    note: str = ""


def orientation_of(header: Dataset) -> str:
    r"""PatientOrientation as ``row\column``: where the rows and the columns lead; empty where it is not known.

    Each is up to three letters of A, P (anterior, posterior), L, R (left, right), H, F (head, feet), or nothing.

    Source: DICOM PS3.3, C.7.6.1.1.1.
    """
    value = header.get("PatientOrientation")
    if value is None or isinstance(value, str) or len(value) != 2:
        return ""
    row, column = (str(direction or "").strip() for direction in value)
    valid = _DIRECTION.fullmatch(row) and _DIRECTION.fullmatch(column) and (row or column)
    return f"{row}\\{column}" if valid else ""


def turn_of(orientation: str, body_part: str) -> Turn:
    r"""What makes an image upright that says where its rows and columns lead.

    Upright, columns lead to the feet, and rows to the patient's left, as in a radiograph from the front or the back. A
    view from the side leads to the front as a rule, and to the back often: alone, the latter is said and not mirrored;
    an upside-down one is turned so that it leads to the front. Where head is not on top as a rule, or nobody says which
    part this is, and where the image lies on its side, it is said and nothing is turned.

    Args:
        orientation: as :func:`orientation_of` gives it.
        body_part: BodyPartExamined, or empty.

    Example:
        >>> turn_of("R\\H", "CHEST").axes
        (0, 1)
        >>> turn_of("L\\F", "CHEST")
        Turn(axes=(), note='')
    """
    if not orientation:
        return Turn()
    row, column = (direction[:1] for direction in orientation.split("\\"))
    if any({row, column} <= axis for axis in _AXES):
        return Turn((), _note(orientation, "says two things of one axis", turned=False))
    if row in _AXES[2] or column in _AXES[0]:
        return Turn((), _note(orientation, "says that the image lies on its side", turned=False))
    upside_down, mirrored = column == "H", row == "R"
    if not (upside_down or mirrored):
        faces_left = row == "P" and column == "F"
        what = "says that the image leads to the patient's back, as a view from the side that faces left"
        return Turn((), _note(orientation, what, turned=False) if faces_left else "")
    what = "upside down" if upside_down else ""
    what += (" and " if upside_down and mirrored else "") + ("mirrored" if mirrored else "")
    certain = bool(row) and bool(column) and body_part in _HEAD_ON_TOP
    axes = ((0,) if mirrored or row == "P" else ()) + ((1,) if upside_down else ())
    return Turn(axes if certain else (), _note(orientation, f"says that the image is {what}", turned=certain))


def _note(orientation: str, what: str, *, turned: bool) -> str:
    done = "it was turned for the network, results are in pixels of the file" if turned else "it was taken as it is"
    return f"PatientOrientation {orientation} {what}; {done}"
