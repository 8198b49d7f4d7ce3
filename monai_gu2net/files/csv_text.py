# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Tables as CSV whose text no spreadsheet takes for a formula, and reading them back as they were."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

__all__ = ["csv_text", "original_cell"]

_FORMULA = re.compile("'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")  # the last four are wide ones
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def csv_text(lines: Iterable[Iterable[Any]]) -> str:
    r"""Lines of cells as CSV.

    Text that begins as a formula does (``=``, ``+``, ``-``, ``@``, a tab, the end of a line) gets an apostrophe before
    it, by which spreadsheets know text; and so does text that begins with apostrophes and then that, so that
    :func:`original_cell` gives each text back. Numbers, and text that is one, stay as they are.

    Args:
        lines: of text and numbers; None and NaN are empty cells.

    Returns:
        The text, whose lines end with a line feed.

    Example:
        >>> csv_text([["case", "error"], ["=1+1", -3.5], ["-3.5", float("nan")]])
        "case,error\n'=1+1,-3.5\n-3.5,\n"

    Source: OWASP, CSV Injection.
    """
    return "".join(",".join(map(_cell, line)) + "\n" for line in lines)


def original_cell(cell: str) -> str:
    """The text that :func:`csv_text` wrote as this cell.

    Example:
        >>> original_cell("'=1+1"), original_cell("'quoted'")
        ('=1+1', "'quoted'")
    """
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def _cell(value: Any) -> str:
    if not isinstance(value, str):
        return "" if value is None or value != value else str(value)
    if _FORMULA.match(value) and not _NUMBER.fullmatch(value):
        value = f"'{value}"
    # the module csv leaves a carriage return bare before Python 3.13, and its own reader ends the line there
    return f'"{value.replace(chr(34), chr(34) * 2)}"' if re.search('[,"\r\n]', value) else value
