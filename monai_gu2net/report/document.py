# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What a report says, apart from how it is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = ["Cases", "Document", "Part", "Picture", "Section", "Table"]


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


Part = str | Sequence[str] | Mapping[str, str] | Table | Picture | Cases
"""A text is a paragraph, a sequence of texts a list, a mapping a list of texts with headings. All texts are plain:
whatever they hold, none of it is markup."""


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
