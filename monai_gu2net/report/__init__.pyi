# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0

from .comparison_report import comparison_notes as comparison_notes
from .comparison_report import difference_table as difference_table
from .comparison_report import rate_table as rate_table
from .comparison_report import write_comparison as write_comparison
from .document import Document as Document
from .document import Section as Section
from .document import Table as Table
from .evaluation_report import EvaluationResult as EvaluationResult
from .evaluation_report import write_report as write_report
from .rendering import render_markdown as render_markdown
from .rendering import table_markdown as table_markdown
from .rendering import write_page as write_page
from .tables import summary_table as summary_table
