# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""A document as Markdown, and as one HTML file that needs no other; the words around it are in ``templates``."""

from __future__ import annotations

import base64
import io
import os
from functools import partial
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image

from monai_gu2net.files import write_text_whole
from monai_gu2net.report.document import Cases, Document, Picture, Table
from monai_gu2net.visualize.pictures import DPI

__all__ = ["render_markdown", "table_markdown", "write_page"]

# Pictures of cases share this many bytes, so that a page can be sent by mail.
_PICTURE_BYTES = 9_000_000

_SIZES = ((1200, 85), (1200, 75), (900, 80), (900, 65), (640, 70), (480, 60), (320, 50))  # longest side, quality


def render_markdown(document: Document) -> str:
    """The document as Markdown, with pictures linked.

    Args:
        document: what to write. No text in it is taken for markup.

    Returns:
        The text, with a line break at its end.

    Example:
        >>> from monai_gu2net.report import Section
        >>> print(render_markdown(Document("Results", [Section("Failures", ["None."])])), end="")
        # Results
        <BLANKLINE>
        ## Failures
        <BLANKLINE>
        None.
    """
    return _MARKDOWN.get_template("document.md.jinja").render(document=document)


def table_markdown(table: Table) -> str:
    """The table, without its title, as Markdown with a line break at its end."""
    return _MARKDOWN.get_template("table.md.jinja").render(table=table)


def write_page(path: str | os.PathLike[str], document: Document) -> Path:
    """Write a document as one HTML file, whole or not at all.

    Everything is inside, pictures as data URIs; nothing is loaded and no script runs, which the page also
    forbids itself. It follows the reader's light or dark setting and can be printed. Pictures of cases are
    JPEG, made smaller the more there are, so that some hundred of them stay below 15 MB; plots are the PNG
    files as they are.

    Args:
        path: the file, in the folder from which the document names its pictures.
        document: what to write. No text in it is taken for markup.

    Returns:
        The path.

    Raises:
        FileNotFoundError: a picture is not in the folder.
    """
    path = Path(path)
    parts = [part for section in document.sections for part in section.parts]
    photos = [file for part in parts if isinstance(part, Cases) for _, file in part.entries if file is not None]
    share = _PICTURE_BYTES // max(1, len(photos))
    page = _PAGE.get_template("page.html.jinja").render(
        document=document, plot=partial(_plot, path.parent), photo=partial(_photo, path.parent, share)
    )
    return write_text_whole(path, page)


def _plot(folder: Path, file: str) -> dict[str, str | int]:
    """The PNG file at the size of its figure, 96 pixels an inch."""
    content = (folder / file).read_bytes()
    with Image.open(io.BytesIO(content)) as image:
        width, height = (round(side * 96 / DPI) for side in image.size)
    return {"source": _data_uri("png", content), "width": width, "height": height}


def _photo(folder: Path, share: int, file: str) -> str:
    """The picture of a case as JPEG, at the largest size that needs no more than a share of the bytes."""
    with Image.open(folder / file) as picture:
        whole = picture.convert("RGB")
    for side, quality in _SIZES:
        smaller = whole.copy()
        smaller.thumbnail((side, side))
        coded = io.BytesIO()
        smaller.save(coded, "JPEG", quality=quality, optimize=True)
        if coded.tell() <= share:
            break
    return _data_uri("jpeg", coded.getvalue())


def _data_uri(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"


def _markdown_text(text: str) -> str:
    """The text with nothing in it that Markdown or HTML would take for markup, on one line."""
    escaped = "".join(f"\\{letter}" if letter in "\\`*[]|" else letter for letter in text)
    return " ".join(escaped.replace("&", "&amp;").replace("<", "&lt;").split())


_TEMPLATES = Environment(
    loader=PackageLoader("monai_gu2net.report"),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
_TEMPLATES.tests |= {"table": Table.__instancecheck__, "picture": Picture.__instancecheck__}
_TEMPLATES.tests |= {"cases": Cases.__instancecheck__}

# every value that stands in a template is escaped
_MARKDOWN = _TEMPLATES.overlay(finalize=_markdown_text)
_PAGE = _TEMPLATES.overlay(autoescape=True)
