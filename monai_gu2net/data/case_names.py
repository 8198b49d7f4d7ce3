# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What a case is called after its image file."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from monai_gu2net.data.picture import PICTURES
from monai_gu2net.data.volume import NIFTI, VOLUMES

__all__ = ["case_names", "image_name", "listed_names"]

_ENDINGS = (*PICTURES, *reversed(NIFTI), *VOLUMES, ".dcm", ".dicom")


def image_name(path: Path) -> str:
    """A file's name without the ending of its kind; of a DICOM file without an ending all of it, dots included.

    Example:
        >>> [image_name(Path(name)) for name in ("a.PNG", "a.nii.gz", "1.2.840.5", "1.2.840.5.dcm", "PAT.001.png")]
        ['a', 'a', '1.2.840.5', '1.2.840.5', 'PAT.001']
    """
    ending = next((ending for ending in _ENDINGS if path.name.lower().endswith(ending)), "")
    return path.name[: len(path.name) - len(ending)] or path.name


def case_names(images: Sequence[Path]) -> list[str]:
    """A name for each image, different for each: the file's without its ending, and as much more as tells it apart.

    A name never is a path from the root or from a folder above; an image that is given twice gets a number.

    Example:
        >>> case_names([Path("a/x.png"), Path("a/y.png"), Path("a/y.dcm"), Path("b/z"), Path("c/z")])
        ['x', 'y.png', 'y.dcm', 'b/z', 'c/z']
        >>> case_names([Path("/a/x.png"), Path("/b/../a/x.png")])
        ['x', 'x~2']
    """
    return _told_apart([image_name(path) for path in images], images)


def listed_names(listed: Sequence[str], images: Sequence[Path]) -> list[str]:
    """A name for each image of a list, different for each: as the list has it, folders included, without its ending.

    Where the list says no way into a folder, but one from the root or from a folder above, or something else than the
    file's name, the name is that of :func:`case_names`.

    Args:
        listed: what the list calls each image.
        images: the file of each.

    Example:
        >>> listed_names(["a/x.png", "/data/y.png", "1.2.840.5"], [Path("a/x.png"), Path("/data/y.png"), Path("z.dcm")])
        ['a/x', 'y', 'z']
    """
    names = []
    for said, image in zip(listed, images, strict=True):
        way = PurePosixPath(said.replace("\\", "/"))
        inside = (
            way.name == image.name and not way.is_absolute() and not {"..", ""} & set(way.parts) and ":" not in said
        )
        names.append((way.parent / image_name(image)).as_posix() if inside else image_name(image))
    return _told_apart(names, images)


def _told_apart(names: Sequence[str], images: Sequence[Path]) -> list[str]:
    """The names with those that are the same made longer by the folders of their files, and at last by a number."""
    names = list(names)
    ways = [Path(os.path.abspath(image)).parts[1:] for image in images]  # without "..", which a link may not undo
    for level in range(1, max(map(len, ways), default=0) + 1):
        repeated = Counter(name for name, _ in set(zip(names, ways, strict=True)))
        names = [name if repeated[name] == 1 else "/".join(way[-level:]) for name, way in zip(names, ways, strict=True)]
    taken: set[str] = set()
    for at, name in enumerate(names):
        number = 1
        while names[at] in taken or (number > 1 and names[at] in names[at + 1 :]):
            number += 1
            names[at] = f"{name}~{number}"
        taken.add(names[at])
    return names
