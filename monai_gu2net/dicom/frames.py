# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What a multi-frame object says of each of its frames."""

from __future__ import annotations

from pydicom.dataset import Dataset

__all__ = ["frame_count", "frame_header", "has_frame_geometry"]

_GROUPS = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
# The macros whose elements a plain slice has at its top level, PS3.3, C.7.6.16.2
_MACROS = (
    "PixelMeasuresSequence",
    "PlanePositionSequence",
    "PlaneOrientationSequence",
    "PixelValueTransformationSequence",
)


def frame_count(header: Dataset) -> int:
    """NumberOfFrames; 1 where it is absent or no number above."""
    count = header.get("NumberOfFrames")
    return int(count) if isinstance(count, int) and count > 1 else 1


def frame_header(header: Dataset, index: int) -> Dataset:
    """The header of one frame as a slice of its own would have it.

    Spacing, position, orientation and rescaling, which enhanced objects keep in functional groups, shared by all frames
    or of this one, are at the top level. A header without such groups comes back as it is.

    Args:
        header: of the object, with or without its pixel data.
        index: of the frame, the first is 0.

    Source: DICOM PS3.3, C.7.6.16 (multi-frame functional groups).
    """
    shared, per_frame = (header.get(keyword) or [] for keyword in _GROUPS)
    groups = [*list(shared)[:1], *list(per_frame)[index : index + 1]]
    if not groups:
        return header
    alone = Dataset()
    alone.file_meta = header.file_meta
    for element in header:
        if element.keyword not in _GROUPS:
            alone.add(element)
    for macro in _MACROS:
        for group in groups:
            for element in list(group.get(macro) or [])[:1]:
                for inner in element:
                    alone.add(inner)
    return alone


def has_frame_geometry(header: Dataset) -> bool:
    """Whether each frame of a multi-frame object says where it lies, as those of enhanced CT and MR do."""
    groups = list(header.get(_GROUPS[1]) or [])
    return len(groups) == frame_count(header) > 1 and all("PlanePositionSequence" in group for group in groups)
