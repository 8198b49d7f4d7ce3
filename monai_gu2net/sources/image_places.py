# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Where very many images are: in folders, in object stores, in lists."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

import pyarrow as pa
import pyarrow.compute as pc

from monai_gu2net.data.picture import PICTURES
from monai_gu2net.data.volume import VOLUMES
from monai_gu2net.files import LeftOut
from monai_gu2net.files.places import file_system, is_uri, local_path
from monai_gu2net.sources.opening import images_in

__all__ = ["image_places"]

_DICOM = (".dcm", ".dicom")
_ENDINGS = (*PICTURES, *VOLUMES, *_DICOM)
_LINES = 65536  # of a list, read at a time


def image_places(
    places: Sequence[str | os.PathLike[str]] = (), *, lists: Sequence[str | os.PathLike[str]] = (), dims: int = 2
) -> tuple[pa.ChunkedArray, list[LeftOut]]:
    """The images of folders, object stores and lists, each once.

    Args:
        places: images and folders of them, as paths or as URIs that fsspec knows, such as "s3://bucket/folder". Of a
            local folder these are the images that :func:`images_in` finds. Of any other one they are the objects whose
            names end as an image's do: pictures and volumes in the folder itself, ".dcm" in the folders within, too.
            A URI whose name ends as an image's is one image.
        lists: text files in UTF-8 with an image per line, as a path, which is taken relative to the list's folder, or
            as a URI.
        dims: axes of space of the images that are looked for, see :func:`images_in`. With 3, of other places than local
            folders NIfTI, NRRD and MetaImage alone are taken, for slices cannot be told from volumes there.

    Returns:
        Absolute paths and URIs, in the order given and held compactly, for there may be millions; and what was
        left out.

    Raises:
        ImportError: fsspec, or its package for a URI, is not installed.
        OSError: a list or a folder of an object store cannot be read.
        ValueError: a list is not UTF-8, or has a line with a zero byte.
    """
    left_out: list[LeftOut] = []
    found = itertools.chain(
        itertools.chain.from_iterable(_images_of(os.fspath(place), left_out, dims) for place in places),
        itertools.chain.from_iterable(map(_listed, lists)),
    )
    # 64-bit offsets, for the names of many millions are more than 2 GiB
    chunks = []
    while some := list(itertools.islice(found, _LINES)):
        chunks.append(pa.array(some, pa.large_string()))
    given = pa.chunked_array(chunks, pa.large_string())
    counts = pc.value_counts(given)
    repeated = counts.field("values").filter(pc.greater(counts.field("counts"), 1))
    left_out += [LeftOut("image", str(name), "it is given more than once") for name in repeated]
    return pa.chunked_array([pc.unique(given)], pa.large_string()), left_out


def _images_of(place: str, left_out: list[LeftOut], dims: int) -> Iterable[str]:
    if is_uri(place):
        return [place] if _name(place).endswith(_ENDINGS) else _objects_in(place, left_out, dims)
    path = local_path(place)
    if not path.is_dir():
        return [os.path.abspath(path)]
    images, passed_over = images_in(path, dims=dims)
    left_out += passed_over
    return map(os.path.abspath, images)


def _objects_in(folder: str, left_out: list[LeftOut], dims: int) -> Iterator[str]:
    system, root = file_system(folder)
    names = system.find(root)
    if not names and not system.exists(root):
        raise FileNotFoundError(f"IMAGE must be an image or a folder of them; got {folder!r}, which is not there.")
    _, chained, rest = folder.partition("::")
    for name in names:
        within = PurePosixPath(name.removeprefix(root).lstrip("/") or PurePosixPath(name).name)
        if any(part.startswith(".") for part in within.parts) or within.name.upper() == "DICOMDIR":
            continue
        lower = within.name.lower()
        if not lower.endswith(_ENDINGS if dims == 2 else VOLUMES):
            what = "an image" if dims == 2 else "a volume"
            left_out.append(LeftOut("object", str(within), f"its name does not end as {what}'s; a list can name it"))
        elif len(within.parts) > 1 and not lower.endswith(_DICOM):
            left_out.append(LeftOut("picture", str(within), "it lies in a folder within"))
        else:
            yield f"{system.unstrip_protocol(name)}{chained}{rest}"


def _listed(name: str | os.PathLike[str]) -> Iterator[str]:
    """The images of a list, whose file is read as they are asked for."""
    place = os.fspath(name)
    if is_uri(place):
        system, path = file_system(place)
        file = system.open(path, "rt", encoding="utf-8-sig")
    else:
        try:
            file = open(local_path(place), encoding="utf-8-sig")  # noqa: SIM115 (closed below)
        except OSError as error:
            raise OSError(
                f"The list must be a file that can be read; got {place} ({error.strerror}). Check the path."
            ) from error
    folder = None if is_uri(place) else Path(os.path.abspath(local_path(place))).parent
    with file:
        try:
            for number, line in enumerate(file, start=1):
                image = line.strip()
                if "\0" in image:
                    raise ValueError(f"a zero byte in line {number}")
                if not image:
                    continue
                if is_uri(image) or folder is None:
                    yield image
                else:
                    yield os.path.abspath(folder / local_path(image))
        except ValueError as error:
            raise ValueError(
                f"{place}: the list must be UTF-8 text, an image per line; got {error}. Save it so."
            ) from error


def _name(uri: str) -> str:
    """The lower-case name at the end of a URI's path."""
    return PurePosixPath(uri.partition("::")[0].partition("?")[0]).name.lower()
