# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Results as documents: Markdown, a page, tables."""

from __future__ import annotations

from monai_gu2net.report.comparison_report import comparison_notes, difference_table, rate_table, write_comparison
from monai_gu2net.report.document import Document, Section, Table, render_markdown, table_markdown
from monai_gu2net.report.evaluation_report import EvaluationResult, write_report
from monai_gu2net.report.results_page import write_page
from monai_gu2net.report.tables import summary_table

__all__ = [
    "Document",
    "EvaluationResult",
    "Section",
    "Table",
    "comparison_notes",
    "difference_table",
    "rate_table",
    "render_markdown",
    "summary_table",
    "table_markdown",
    "write_comparison",
    "write_page",
    "write_report",
]
