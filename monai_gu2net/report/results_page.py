# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""A document as one HTML file that needs no other."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path

from PIL import Image

from monai_gu2net.files import write_text_whole
from monai_gu2net.report.document import Cases, Document, Facts, Lines, Part, Picture, Section, Table
from monai_gu2net.visualize.pictures import DPI

__all__ = ["write_page"]

# Pictures of cases share this many bytes, so that a page can be sent by mail.
_PICTURE_BYTES = 9_000_000

_SIZES = ((1200, 85), (1200, 75), (900, 80), (900, 65), (640, 70), (480, 60), (320, 50))  # longest side, quality

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --line: #d5dae0; --soft: #f3f5f7; --link: #0b57a4 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e7eb; --paper: #15181c; --line: #3a4048; --soft: #1f242a; --link: #7db8f5 }
}
* { box-sizing: border-box }
body { margin: 0 auto; padding: 1rem 1.25rem 3rem; max-width: 76rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: break-word }
h1 { font-size: 1.7rem; line-height: 1.2; margin: .5rem 0 1rem }
h2 { font-size: 1.25rem; margin: 2.25rem 0 .75rem; padding-top: .75rem; border-top: 1px solid var(--line) }
a { color: var(--link) }
nav ul { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; list-style: none; margin: 0; padding: 0 }
dl { display: grid; grid-template-columns: minmax(8rem, max-content) 1fr; gap: .3rem 1.25rem; margin: 0 }
dt { font-weight: 600; max-width: 16rem } dd { margin: 0; min-width: 0 }
.scroll { overflow-x: auto; margin: .75rem 0 }
table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums }
caption { text-align: left; padding-bottom: .4rem; font-weight: 600 }
th, td { padding: .3rem .6rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap }
thead th { background: var(--soft); vertical-align: bottom; white-space: normal }
.text { text-align: left; white-space: normal; max-width: 22rem } tbody th { font-weight: 600; min-width: 9rem }
.plot { max-width: none; height: auto; background: #fff; border-radius: 4px }
figure { margin: 0 }
.cases { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(30rem, 100%), 1fr)); gap: 1rem;
  align-items: start }
.cases img { display: block; width: 100%; height: auto; border-radius: 4px }
figcaption { font-size: .875rem; padding-top: .3rem }
.cases figure { cursor: zoom-in } .cases figure:focus { grid-column: 1 / -1; cursor: default }
@media (max-width: 40rem) { dl { grid-template-columns: 1fr } dd { margin-bottom: .5rem } }
@media print {
  :root { --ink: #000; --paper: #fff; --line: #999; --soft: #eee; --link: #000; color-scheme: light }
  body { max-width: none; padding: 0; font-size: 10pt } nav { display: none }
  .scroll { overflow: visible } table { font-size: 7.5pt } th, td { padding: .15rem .35rem } tbody th { min-width: 0 }
  .plot { max-width: 100% } .cases { grid-template-columns: repeat(3, 1fr); gap: .5rem }
  h2, caption { break-after: avoid } figure, tr, .plot { break-inside: avoid }
}
"""


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
    photos = sum(
        file is not None
        for section in document.sections
        for part in section.parts
        if isinstance(part, Cases)
        for _, file in part.entries
    )
    share = _PICTURE_BYTES // max(1, photos)
    body = [f"<h1>{escape(document.title)}</h1>", '<nav aria-label="Sections"><ul>']
    body += [f'<li><a href="#s{n}">{escape(section.title)}</a></li>' for n, section in enumerate(document.sections)]
    body += ["</ul></nav>", "<main>"]
    for number, section in enumerate(document.sections):
        body.append(f'<section aria-labelledby="s{number}"><h2 id="s{number}">{escape(section.title)}</h2>')
        body += [_part(part, section, path.parent, share) for part in section.parts]
        body.append("</section>")
    page = [
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">",
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(document.title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>",
        *body,
        "</main>\n</body>\n</html>\n",
    ]
    return write_text_whole(path, "\n".join(page))


def _part(part: Part, section: Section, folder: Path, share: int) -> str:
    if isinstance(part, str):
        return f"<p>{escape(part)}</p>"
    if isinstance(part, Table):
        return _table(part, captioned=part.title != section.title)
    if isinstance(part, Facts):
        return _facts(part.facts)
    if isinstance(part, Lines):
        return _lines(part.lines)
    if isinstance(part, Picture):
        return _plot(part, folder)
    figures = [_figure(text, _jpeg(folder / file, share)) for text, file in part.entries if file is not None]
    undrawn = [text for text, file in part.entries if file is None]
    shown = (
        [
            "<p>Orange crosses: predicted, in a circle that holds nine of ten landmarks where the model is calibrated; "
            "blue dots: reference; a line joins the two. A picture grows when chosen.</p>"
        ]
        if figures
        else []
    )
    return "\n".join([*shown, f'<div class="cases">{"".join(figures)}</div>', _lines(undrawn)])


def _table(table: Table, *, captioned: bool) -> str:
    """A scrollable table; its name is the caption, or where that would repeat the heading a label."""
    name = escape(table.title)

    def cell(tag: str, column: int, text: str, scope: str = "") -> str:
        kind = ' class="text"' if column < table.text_columns else ""
        return f"<{tag}{kind}{scope}>{escape(text)}</{tag}>"

    head = "".join(cell("th", column, text, ' scope="col"') for column, text in enumerate(table.header))
    # a line is named by the last of its words, what stands before it is a number or a group
    names = max(0, table.text_columns - 1)
    lines = []
    for line in table.lines:
        cells = [
            cell("th", column, text, ' scope="row"') if column == names else cell("td", column, text)
            for column, text in enumerate(line)
        ]
        lines.append(f"<tr>{''.join(cells)}</tr>")
    caption = f"<caption>{name}</caption>" if captioned and name else ""
    return (
        f'<div class="scroll" role="region" aria-label="{name or "Table"}" tabindex="0"><table>{caption}'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n" + "\n".join(lines) + "\n</tbody></table></div>"
    )


def _facts(facts: Mapping[str, str]) -> str:
    return "<dl>" + "\n".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in facts.items()) + "</dl>"


def _lines(lines: Iterable[str]) -> str:
    items = "\n".join(f"<li>{escape(line)}</li>" for line in lines)
    return f"<ul>{items}</ul>" if items else ""


def _plot(picture: Picture, folder: Path) -> str:
    """The PNG file at the size of its figure, 96 pixels an inch."""
    content = (folder / picture.path).read_bytes()
    with Image.open(io.BytesIO(content)) as image:
        width, height = (round(side * 96 / DPI) for side in image.size)
    return (
        f'<div class="scroll"><img class="plot" src="{_data_uri("png", content)}" alt="{escape(picture.alt)}" '
        f'width="{width}" height="{height}"></div>'
    )


def _figure(text: str, source: str) -> str:
    """The picture of a case; it has the focus where it is chosen, and is then as wide as the page."""
    text = escape(text)
    return (
        f'<figure tabindex="0"><img src="{source}" alt="Predicted and reference landmarks of {text}">'
        f"<figcaption>{text}</figcaption></figure>"
    )


def _jpeg(path: Path, share: int) -> str:
    """The picture at the largest size that needs no more than a share of the bytes."""
    with Image.open(path) as picture:
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
