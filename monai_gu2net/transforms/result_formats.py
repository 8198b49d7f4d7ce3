# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What the landmarks that are found in an image can be written as."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from monai_gu2net.data.domain import Domain

__all__ = [
    "ALL_FORMATS",
    "ANSWER_FORMATS",
    "DICOM_FORMATS",
    "FORMATS",
    "OBJECTS",
    "PREDICTION_FORMATS",
    "check_formats",
]

FORMATS = ("json", "csv", "mrk.json")
"""Those written by default."""
OBJECTS = {"sr": ("sr", "text"), "gsps": ("gsps",)}
"""The objects that a DICOM format consists of: a report of points is accompanied by one to be read."""
DICOM_FORMATS = tuple(OBJECTS)
ALL_FORMATS = (*FORMATS, *DICOM_FORMATS)
PREDICTION_FORMATS = (*ALL_FORMATS, "sc", "coco")
"""Of a prediction, with the picture that every viewer shows and the one table of all images."""
ANSWER_FORMATS = (*DICOM_FORMATS, "sc")
"""Of an answer to another system."""
_OF_PICTURES = {
    "gsps": "a presentation state draws on one picture",
    "sc": "a secondary capture is a radiograph with marks",
    "coco": "COCO has no third axis",
}


def check_formats(formats: Iterable[str], domains: Mapping[str, Domain]) -> None:
    """Refuse formats of pictures for domains of volumes.

    Raises:
        ValueError: a volume cannot be written in one of the formats.
    """
    volumes = [name for name, domain in domains.items() if domain.dims == 3]
    refused = {name: reason for name, reason in _OF_PICTURES.items() if name in set(formats)} if volumes else {}
    if refused:
        why = "; ".join(f"{name}: {reason}" for name, reason in refused.items())
        raise ValueError(
            f"The formats of volumes must not be of pictures; got {list(refused)} for domain {volumes[0]!r} ({why}). "
            "Leave them out: json, csv, mrk.json and sr hold three coordinates."
        )
