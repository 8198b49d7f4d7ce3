# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""A source of one's own: folders of volumes, whose file NAME_PATIENT.nii.gz has its points in NAME_PATIENT.csv."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from monai_gu2net.files import LeftOut
from monai_gu2net.landmarks import read_landmarks
from monai_gu2net.sources import SOURCES, Entry, Source


def volume_entries(folder: Path) -> Iterator[Entry | LeftOut]:
    """A volume with its points, or why there are none."""
    for image in sorted(folder.glob("*.nii.gz")):
        name = image.name.removesuffix(".nii.gz")
        if (folder / f"{name}.csv").is_file():
            points = read_landmarks(folder / f"{name}.csv", points="voxel")
            yield Entry(image, points, patient=name.split("_")[-1])
        else:
            yield LeftOut("image", image.name, "it has no points")


def register() -> None:
    """From here on, ``prepare`` and ``--dataset-dir`` take such folders."""
    SOURCES["volumes"] = Source(
        "NAME_PATIENT.nii.gz with .csv", lambda folder: any(folder.glob("*.nii*")), volume_entries
    )
