# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What a case is called after its image file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from monai_gu2net.data.picture import PICTURES
from monai_gu2net.data.volume import NIFTI, VOLUMES

__all__ = ["case_names", "image_name"]

_ENDINGS = (*PICTURES, *reversed(NIFTI), *VOLUMES, ".dcm", ".dicom")


def image_name(path: Path) -> str:
    """A file's name without the ending of its kind; of a DICOM file without an ending all of it, dots included.

    Example:
        >>> [image_name(Path(name)) for name in ("a.PNG", "a.nii.gz", "1.2.840.5", "1.2.840.5.dcm")]
        ['a', 'a', '1.2.840.5', '1.2.840.5']
    """
    ending = next((ending for ending in _ENDINGS if path.name.lower().endswith(ending)), "")
    return path.name[: len(path.name) - len(ending)] or path.name


def case_names(images: Sequence[Path]) -> list[str]:
    """A name for each image, different for each: the file's without its ending, and as much more as tells it apart.

    Example:
        >>> case_names([Path("a/x.png"), Path("a/y.png"), Path("a/y.dcm"), Path("b/z"), Path("c/z")])
        ['x', 'y.png', 'y.dcm', 'b/z', 'c/z']
    """
    names = [image_name(path) for path in images]
    for level in range(1, max((len(path.parts) for path in images), default=0) + 1):
        repeated = Counter(names)
        names = [
            name if repeated[name] == 1 else "/".join(path.parts[-level:])
            for name, path in zip(names, images, strict=True)
        ]
    return names
