# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What a case is called after its image file, and what files are called after a case."""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Collection, Hashable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from monai_gu2net.data.picture import PICTURES
from monai_gu2net.data.volume import VOLUMES

__all__ = ["FileNames", "case_names", "case_part", "file_names", "image_name", "spool_name"]

_ENDINGS = (*PICTURES, *VOLUMES, ".dcm", ".dicom")
_FIRST_HALF = r"\.(mrk|sr|text|pr|sc)"  # of an ending of two parts, such as ".mrk.json"
_LONGEST = 120  # endings and a number come on top; file systems take 255 bytes


def image_name(path: Path) -> str:
    """A file's name without the ending of its kind; of a DICOM file without an ending all of it, dots included.

    Example:
        >>> [image_name(Path(name)) for name in ("a.PNG", "a.nii.gz", "1.2.840.5", "1.2.840.5.dcm", "PAT.001.png")]
        ['a', 'a', '1.2.840.5', '1.2.840.5', 'PAT.001']
    """
    ending = next((ending for ending in _ENDINGS if path.name.lower().endswith(ending)), "")
    return path.name[: len(path.name) - len(ending)] or path.name


def case_names(images: Sequence[Path], *, listed: Sequence[str | None] | None = None) -> list[str]:
    """A name for each image, different for each: the file's without its ending, and as much more as tells it apart.

    A name never is a path from the root or from a folder above; an image that is given twice gets a number.

    Args:
        images: the file of each.
        listed: what a list calls each image. Its name then is that, folders included, without its ending, unless the
            list says no way into a folder but one from the root or from a folder above, or something else than the
            file's name.

    Example:
        >>> case_names([Path("a/x.png"), Path("a/y.png"), Path("a/y.dcm"), Path("b/z"), Path("c/z")])
        ['x', 'y.png', 'y.dcm', 'b/z', 'c/z']
        >>> case_names([Path("/a/x.png"), Path("/b/../a/x.png")])
        ['x', 'x~2']
        >>> files = [Path("a/x.png"), Path("/data/y.png"), Path("z.dcm")]
        >>> case_names(files, listed=["a/x.png", "/data/y.png", "1.2.840.5"])
        ['a/x', 'y', 'z']
    """
    names = [_listed_name(*pair) for pair in zip(images, listed or [None] * len(images), strict=True)]
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


def _listed_name(image: Path, listed: str | None) -> str:
    """The image's name with the folders that a list puts before it, where these lead into a folder."""
    if listed is None:
        return image_name(image)
    way = PurePosixPath(listed.replace("\\", "/"))
    inside = way.name == image.name and not way.is_absolute() and ".." not in way.parts and ":" not in listed
    return (way.parent / image_name(image)).as_posix() if inside else image_name(image)


class FileNames:
    """File names of the cases of one run, without ending, each of a case's own.

    A name is the case's with everything but letters, digits, '.', '_' and '-' replaced. A dot at its beginning is
    replaced too, and that before the first half of an ending of two parts (".mrk.json"), for the file of another case
    would have the same name. Names that would be the same, as those of the cases "a b" and "a_b", get a number, in the
    order in which they are asked for first. Capitals make no difference, for to some file systems they are none.

    Args:
        reserved: names that no case may have, because the run writes other files under them.

    Example:
        >>> names = FileNames(reserved=("landmarks",))
        >>> [names(("head", case)) for case in ("a b", "a_b", "A b", "a b", "landmarks", ".x.sr")]
        ['a_b', 'a_b~2', 'A_b~3', 'a_b', 'landmarks~2', '_x_sr']
    """

    def __init__(self, *, reserved: Collection[str] = ()) -> None:
        self._names: dict[Hashable, str] = {}
        self._taken = {name.casefold() for name in reserved}

    def __call__(self, key: tuple[str, str]) -> str:
        """The name of a case, given as (domain, case); the same at every call."""
        if key not in self._names:
            name = re.sub(r"[^\w.-]|^\.+", "_", key[1], flags=re.ASCII)[:_LONGEST] or "_"
            self._names[key] = _own(re.sub(f"{_FIRST_HALF}$", r"_\1", name, flags=re.IGNORECASE), self._taken)
        return self._names[key]


def case_part(file: str) -> str:
    """The part of a result file's name that :class:`FileNames` made of the case, which never ends as a format does.

    Example:
        >>> [case_part(name) for name in ("PAT.001.png", "PAT.001.mrk.json", "PAT.001.sr.dcm")]
        ['PAT.001', 'PAT.001', 'PAT.001']
    """
    return re.sub(rf"({_FIRST_HALF})?\.\w+$", "", file, flags=re.IGNORECASE | re.ASCII)


def file_names(parts: Mapping[Hashable, Sequence[str]]) -> dict[Hashable, str]:
    """For each key a file name of its own, without ending, that is safe whatever the words of its parts hold.

    Example:
        >>> file_names({1: ("head", "a b"), 2: ("head", "A.b/"), 3: ("head", "a, b")})
        {1: 'head_a_b', 2: 'head_A.b_', 3: 'head_a_b~2'}
    """
    taken: set[str] = set()
    return {
        key: _own(re.sub(r"[^A-Za-z0-9._-]+", "_", "_".join(words)).lstrip(".")[:100] or "_", taken)
        for key, words in parts.items()
    }


def spool_name(sop_instance_uid: str) -> str:
    """The name of an image in the spool, and of its answers: a hash that says nothing of the image.

    Args:
        sop_instance_uid: of the image; it may come from anybody, and be anything.

    Returns:
        32 hexadecimal digits.

    Example:
        >>> spool_name("1.2.3")
        'c47f5b18b8a430e698b9fe15e51f6119'
    """
    return hashlib.sha256(sop_instance_uid.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _own(stem: str, taken: set[str]) -> str:
    """The stem with a number where it is taken, which it then is; some file systems do not tell "a" from "A"."""
    name, number = stem, 1
    while name.casefold() in taken:
        number += 1
        name = f"{stem}~{number}"
    taken.add(name.casefold())
    return name
