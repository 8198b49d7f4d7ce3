# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What the header of a volume says of its grid, and what it leaves open."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["StatedGrid", "metaimage_grid", "nifti_grid", "nrrd_grid"]

_NIFTI_MM = {"mm": 1.0, "meter": 1000.0, "micron": 0.001}  # xyzt_units
_MM = {
    **dict.fromkeys(("mm", "millimeter", "millimeters", "millimetre", "millimetres"), 1.0),
    **dict.fromkeys(("um", "µm", "μm", "micron", "microns", "micrometer", "micrometers"), 0.001),
    **dict.fromkeys(("cm", "centimeter", "centimeters"), 10.0),
    **dict.fromkeys(("m", "meter", "meters"), 1000.0),
}
# The spaces of a patient, and those of a scanner or of none, which ITK takes as they are, for LPS
_NRRD_PATIENT = re.compile(
    r"(?:right-anterior-superior|left-anterior-superior|left-posterior-superior|RAS|LAS|LPS)(?:-time|T)?", re.IGNORECASE
)
_NO_UNIT = ("", "?", "???", "none", "pixel", "pixels", "voxel", "voxels")
_HEADER_BYTES = 2**16


class StatedGrid(NamedTuple):
    """What a header says beside the affine itself.

    Args:
        mm_per_unit: of the affine's numbers.
        unit: whether the header names their unit.
        assumed: what is assumed of where the axes lead, in words; empty: the header says it.
    """

    mm_per_unit: float = 1.0
    unit: bool = False
    assumed: str = ""


def nifti_grid(header: Any) -> StatedGrid:
    """Of a NIfTI header, as nibabel reads it; a unit that is none of the standard's is taken as mm.

    Source: nifti1.h, methods 1 to 3 of the coordinates. Where both codes are 0 it lets the first axis lead to the
    right; nibabel, and MONAI with it, takes the image for one of Analyze, whose first axis leads to the left.
    """
    unit = header.get_xyzt_units()[0]
    has_code = int(header["sform_code"]) > 0 or int(header["qform_code"]) > 0
    assumed = (
        "" if has_code else "its sform_code and qform_code are 0; taken as L, A, S about its middle, as by nibabel"
    )
    return StatedGrid(_NIFTI_MM.get(unit, 1.0), unit in _NIFTI_MM, assumed)


def nrrd_grid(path: Path) -> StatedGrid:
    """Of a NRRD file.

    Raises:
        ValueError: the space, or an axis, has a unit that is no length; the message begins with the file's name.
    """
    fields = _fields(path, ":")
    units = re.findall(r'"([^"]*)"', fields.get("space units", "") + fields.get("units", ""))
    if "space directions" not in fields:
        assumed = "it has no space directions; taken as L, P, S"
    elif not _NRRD_PATIENT.fullmatch(fields.get("space", "")):
        assumed = f"its space is {fields.get('space', 'not named')}; taken as left-posterior-superior"
    else:
        assumed = ""
    return _grid(path, units, assumed)


def metaimage_grid(path: Path) -> StatedGrid:
    """Of a MetaImage file, whose directions are LPS; AnatomicalOrientation only repeats them, and is not read.

    Raises:
        ValueError: as :func:`nrrd_grid`.
    """
    fields = _fields(path, "=")
    is_stated = not {"transformmatrix", "rotation", "orientation"}.isdisjoint(fields)
    units = [fields.get("distanceunits", "")]
    return _grid(path, units, "" if is_stated else "it has no TransformMatrix; taken as L, P, S")


def _grid(path: Path, units: list[str], assumed: str) -> StatedGrid:
    named = sorted({unit.strip().lower() for unit in units} - {*_NO_UNIT})
    factors = {_MM.get(unit) for unit in named}
    if None in factors or len(factors) > 1:
        raise ValueError(
            f"{path.name} must have all axes in one of mm, um, cm and m; got {', '.join(named)}. Save it in mm."
        )
    return StatedGrid(factors.pop() or 1.0 if factors else 1.0, bool(factors), assumed)


def _fields(path: Path, separator: str) -> dict[str, str]:
    """The lines of a text header, by their names in small letters, up to its end or what is no text."""
    with path.open("rb") as file:
        text = file.read(_HEADER_BYTES).decode("utf-8", "replace")
    fields: dict[str, str] = {}
    for line in text.splitlines():
        if not line.strip() or "ElementDataFile" in line:
            break
        name, found, value = line.partition(separator)
        if found and not line.startswith("#"):
            fields[name.strip().lower()] = value.strip()
    return fields
