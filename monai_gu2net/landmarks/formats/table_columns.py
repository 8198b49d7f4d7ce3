# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The columns of a table that hold coordinates, and what these are.

| columns | what they hold |
|---|---|
| ``x, y`` | pixels of a radiograph |
| ``i, j, k`` | voxels of a volume |
| ``Lmm, Pmm, Smm`` and ``Rmm, Amm, Smm`` (also ``L_mm`` and in small letters) | mm of a volume, in LPS and in RAS |
| ``x, y, z`` | of a volume, what the caller or a column ``frame`` says |

Those of a wide table have the landmark's name and "_" before them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from monai_gu2net.landmarks.formats.parsing import ParseError
from monai_gu2net.landmarks.landmark_set import Frame

__all__ = ["POINTS", "PointColumns", "PointsFrame", "point_columns"]

PointsFrame = Literal["voxel", "LPS", "RAS"]
POINTS: tuple[PointsFrame, ...] = get_args(PointsFrame)
_FRAMES: dict[PointsFrame, Frame] = {"voxel": "index", "LPS": "LPS", "RAS": "RAS"}
_NAMED: tuple[Frame, ...] = ("index", "LPS", "RAS")  # by their columns, the first of a table is taken
_AXES = {"index": "ijk", "LPS": "LPS", "RAS": "RAS"}
_IN_WORDS = {"index": "voxels of the files", "LPS": "LPS mm", "RAS": "RAS mm"}
_XYZ = "xyz"
_COLUMN = re.compile(r"(?P<name>.*)_(?P<axis>[xyzijk]|[LPSRA](?=_?mm$))(_?mm)?$", re.IGNORECASE)


@dataclass(frozen=True)
class PointColumns:
    """The columns of the landmarks' coordinates in one frame.

    Args:
        frame: of the points; None: that of the column ``frame``, or pixels.
        columns: D for each landmark, by its name; of a long table those of "".
    """

    frame: Frame | None
    columns: Mapping[str, Sequence[str]]

    @property
    def dims(self) -> int:
        """D."""
        return max(map(len, self.columns.values()), default=2)

    @property
    def words(self) -> str:
        """Which they are, and what they hold."""
        name, own = next(iter(self.columns.items()))
        shown = ", ".join(f"NAME{column[len(name) :]}" if name else column for column in own)
        if self.frame is None and self.dims == 3:
            return f"{shown} (in the frame that the column frame names)"
        return f"{shown} ({_IN_WORDS[self.frame or 'index']})"


def point_columns(
    header: Sequence[str], *, wide: bool, points: PointsFrame | None, path: Path
) -> tuple[PointColumns, PointColumns | None]:
    """The columns to read points from, and other ones of the same landmarks that must say the same.

    Args:
        header: the columns of the table.
        wide: a line is an image, and not a landmark.
        points: what the points to be read are; None: what the columns say.
        path: the file, for messages.

    Raises:
        ParseError: there are no such columns, one of a landmark is missing, or it is not said what those of a volume
            hold.
    """
    found = {frame: columns for frame in _NAMED if (columns := _named(header, frame, wide))}
    plain = _named(header, None, wide)
    if points is not None:
        frame = _FRAMES[points]
        columns = found.get(frame) or plain
        if not columns:
            rule = f"points={points!r} must be the columns {_shown(frame, wide)} or {_shown(None, wide)}"
            raise ParseError(path, 1, rule, ",".join(header)[:200], "Correct either")
        chosen = PointColumns(frame, columns)
        if frame != "index" and chosen.dims == 2:
            raise ParseError(path, 1, f"points={points!r} must be of volumes", "x and y alone", "Leave it out")
        return _checked(chosen, header, path, wide), None
    if found:
        (frame, columns), *others = found.items()
        chosen = _checked(PointColumns(frame, columns), header, path, wide)
        if not others:
            return chosen, None
        also = _checked(PointColumns(*others[0]), header, path, wide)
        if set(also.columns) != set(columns):
            rule = f"{chosen.words} and {also.words} must be of the same landmarks"
            raise ParseError(path, 1, rule, sorted({*columns} ^ {*also.columns}), "Add the missing columns")
        return chosen, also
    chosen = _checked(PointColumns(None, plain), header, path, wide)
    if chosen.dims == 3 and "frame" not in header:
        rule = f"the columns {_shown(None, wide)} of a volume must say what they hold"
        raise ParseError(
            path, 1, rule, "no frame", "Say it with --points voxel, LPS or RAS (points='voxel'), or rename the columns"
        )
    return chosen, None


def _named(header: Sequence[str], frame: Frame | None, wide: bool) -> dict[str, list[str]]:
    """For each landmark the columns of a frame, where at least one has all; of those without a frame any."""
    axes = _XYZ if frame is None else _AXES[frame]
    found: dict[str, dict[str, str]] = {}
    for name, axis, in_mm, column in _columns(header, wide):
        if axis in axes and in_mm == (frame in ("LPS", "RAS")) and name != "spacing":
            found.setdefault(name, {})[axis] = column
    if frame is None:
        axes = axes if any("z" in own for own in found.values()) else axes[:2]
    else:
        # an S is of both frames
        found = {name: own for name, own in found.items() if set(own) - {"S"}}
        if not any(len(own) == len(axes) for own in found.values()):
            return {}
    return {name: [own.get(axis, f"{name}_{axis}" if name else axis) for axis in axes] for name, own in found.items()}


def _columns(header: Sequence[str], wide: bool) -> Iterator[tuple[str, str, bool, str]]:
    """Name, axis, whether in mm, and the column itself, of each that can hold a coordinate."""
    for column in header:
        match = _COLUMN.fullmatch(column if wide else f"_{column}")
        if match is None or bool(match["name"]) != wide:
            continue
        in_mm = match[3] is not None
        axis = match["axis"].upper() if in_mm else match["axis"]
        yield match["name"], axis, in_mm, column


def _checked(found: PointColumns, header: Sequence[str], path: Path, wide: bool) -> PointColumns:
    """The columns, which all are there."""
    missing = [column for own in found.columns.values() for column in own if column not in header]
    if wide and (missing or not found.columns):
        rule = "the header must be 'image,NAME_x,NAME_y,...', or 'image,landmark,x,y'"
        shown = f"{','.join(header)[:200]}" + (f" without {missing}" if missing else "")
        raise ParseError(path, 1, rule, shown, "Add the missing columns")
    if missing or not found.columns:
        rule = f"the header must have landmark, {_XYZ[0]} and {_XYZ[1]}"
        raise ParseError(path, 1, rule, ",".join(header), f"Add {missing or list(_XYZ[:2])}")
    return found


def _shown(frame: Frame | None, wide: bool) -> str:
    unit = "" if frame in (None, "index") else "mm"
    return ", ".join(f"{'NAME_' if wide else ''}{axis}{unit}" for axis in (_AXES[frame] if frame else _XYZ))
