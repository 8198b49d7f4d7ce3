# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Files in object stores and on servers, by their URIs, as fsspec knows them."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

__all__ = ["file_system", "is_uri", "local_path"]


def is_uri(place: str) -> bool:
    """Whether a place is the URI of something that is no local file.

    Example:
        >>> [is_uri(place) for place in ("s3://bucket/a.png", "zip://a.png::s3://bucket/b.zip", "a.png", "file:///a.png")]
        [True, True, False, False]
    """
    return "://" in place and not ("::" not in place and place.startswith(("file://", "local://")))


def local_path(place: str) -> Path:
    """The path of a local file, which may be given as a URI, too.

    Example:
        >>> local_path("file:///a%20b.png").as_posix(), local_path("a%20b.png").as_posix()
        ('/a b.png', 'a%20b.png')
    """
    return Path(unquote(urlsplit(place).path) if place.startswith(("file://", "local://")) else place)


def file_system(uri: str) -> tuple[Any, str]:
    """The file system of a URI as fsspec has it, and the path in it.

    How a store is reached, its keys among them, is taken from where its own programs take it: environment, profile,
    role of the machine, and fsspec's configuration files.

    Raises:
        ImportError: fsspec, or the package that it needs for this kind of URI, is not installed.
        ValueError: fsspec does not know this kind.
    """
    try:
        import fsspec
    except ImportError as error:
        raise ImportError(
            f"A URI such as {uri!r} must have the package {error.name!r}; it is absent. "
            'Run: pip install "monai_gu2net[ray]"'
        ) from None
    try:
        system, path = fsspec.core.url_to_fs(uri)
    except ImportError as error:
        raise ImportError(f"{uri} must have fsspec's package for its kind; it is absent. {error}") from error
    except ValueError as error:
        raise ValueError(f"A URI must be of a kind that fsspec knows; got {uri!r} ({error}). Correct it.") from error
    return system, str(path)
