# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Sphinx settings."""

from __future__ import annotations

import re

from sphinx.application import Sphinx

from monai_gu2net import __version__

project = "monai_gu2net"
author = "the monai_gu2net authors"
project_copyright = author
version = release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
exclude_patterns = ["_build", "performance"]  # performance.md has what is in the folder

html_theme = "furo"
html_title = f"{project} {release}"

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_typehints_format = "short"
napoleon_numpy_docstring = False


def shapes_are_no_emphasis(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Let docstrings write a shape as (B, C, *spatial)."""
    for number, line in enumerate(lines):
        if not line.lstrip().startswith((">>>", "...")):
            lines[number] = re.sub(r"(``.*?``)|(?<!\\)\*(?=\w)", lambda found: found[1] or r"\*", line)


def setup(app: Sphinx) -> None:
    app.connect("autodoc-process-docstring", shapes_are_no_emphasis)
