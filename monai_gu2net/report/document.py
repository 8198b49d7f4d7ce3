# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What a report says, apart from how it is written: as Markdown here, as a page in :mod:`.page`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

__all__ = [
    "Cases",
    "Document",
    "Facts",
    "Lines",
    "Part",
    "Picture",
    "Section",
    "Table",
    "markdown_text",
    "render_markdown",
    "table_markdown",
]


@dataclass(frozen=True)
class Table:
    """Cells of plain text under a header.

    Args:
        title: what it shows.
        header: one text per column.
        lines: one sequence of texts per line, as long as the header.
        text_columns: how many columns, from the left, hold words; the others hold numbers.

    Raises:
        ValueError: a line is longer or shorter than the header.
    """

    title: str
    header: Sequence[str]
    lines: Sequence[Sequence[str]]
    text_columns: int = 1

    def __post_init__(self) -> None:
        for line in self.lines:
            if len(line) != len(self.header):
                raise ValueError(
                    f"Each line of the table {self.title!r} must have {len(self.header)} cells; got {list(line)}. "
                    "Fill up what is missing with '-'."
                )


@dataclass(frozen=True)
class Facts:
    """Texts by heading."""

    facts: Mapping[str, str]


@dataclass(frozen=True)
class Lines:
    """A list of texts."""

    lines: Sequence[str]


@dataclass(frozen=True)
class Picture:
    """A plot in a file beside the report.

    Args:
        path: of the PNG file, from the report's folder, with "/".
        alt: what it shows, for those who do not see it.
    """

    path: str
    alt: str


@dataclass(frozen=True)
class Cases:
    """Pictures of cases, one file for each and one with all.

    Args:
        entries: per case a text and the path of its picture, None where there is none.
        sheet: the picture with all, where there is one.
    """

    entries: Sequence[tuple[str, str | None]]
    sheet: Picture | None = None


Part = str | Table | Facts | Lines | Picture | Cases
"""A str is a paragraph. All texts are plain: whatever they hold, none of it is markup."""


@dataclass(frozen=True)
class Section:
    """Parts under a heading."""

    title: str
    parts: Sequence[Part]


@dataclass(frozen=True)
class Document:
    """Sections under a title."""

    title: str
    sections: Sequence[Section]


def render_markdown(document: Document) -> str:
    """The document as Markdown, with pictures linked.

    Args:
        document: what to write.

    Returns:
        The text, with a line break at its end.

    Example:
        >>> print(render_markdown(Document("Results", [Section("Failures", ["None."])])), end="")
        # Results
        <BLANKLINE>
        ## Failures
        <BLANKLINE>
        None.
    """
    blocks = [f"# {markdown_text(document.title)}\n"]
    for section in document.sections:
        blocks.append(f"## {markdown_text(section.title)}\n")
        blocks += [block for part in section.parts for block in _blocks(part)]
    return "\n".join(blocks)


def table_markdown(table: Table) -> str:
    """The table, without its title, as Markdown with a line break at its end."""
    rules = ["---"] * table.text_columns + ["---:"] * (len(table.header) - table.text_columns)
    lines = [[markdown_text(cell) for cell in line] for line in (table.header, *table.lines)]
    return "".join(f"| {' | '.join(line)} |\n" for line in (lines[0], rules, *lines[1:]))


def markdown_text(text: str) -> str:
    """The text with nothing in it that Markdown or HTML would take for markup, on one line."""
    escaped = "".join(f"\\{letter}" if letter in "\\`*[]|" else letter for letter in text)
    return " ".join(escaped.replace("&", "&amp;").replace("<", "&lt;").split())


def _blocks(part: Part) -> list[str]:
    if isinstance(part, str):
        return [f"{markdown_text(part)}\n"]
    if isinstance(part, Table):
        return [table_markdown(part)]
    if isinstance(part, Facts):
        return [_list(f"**{markdown_text(name)}**: {markdown_text(text)}" for name, text in part.facts.items())]
    if isinstance(part, Lines):
        return [_list(map(markdown_text, part.lines))]
    if isinstance(part, Picture):
        return [f"![{markdown_text(part.alt)}]({part.path})\n"]
    lines = [f"[{markdown_text(text)}]({path})" if path else markdown_text(text) for text, path in part.entries]
    return [*(_blocks(part.sheet) if part.sheet else []), _list(lines)]


def _list(lines: Iterable[str]) -> str:
    return "".join(f"- {line}\n" for line in lines)
