# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What each engine finds: its error, and how far its points lie from PyTorch's in float32.

    python benchmarks/accuracy/backends.py DATA.json --checkpoint MODEL [--split test] [--output-dir DIR]

Prints a table of each domain, and writes it as ``backends.md`` and ``backends.csv``: mean radial error with its 95 %
interval (images drawn with replacement), and median, 99th percentile and maximum of the distance in pixels of the file,
with the share of the landmarks that moved by more than 0.05 of them. Engines that are not installed are left out.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from monai_gu2net.data import Datalist
from monai_gu2net.engines import keep_freed_memory
from monai_gu2net.evaluation import summarize_rows
from monai_gu2net.files import write_text_whole
from monai_gu2net.prediction import PredictionOptions, Predictor, fitting_cases
from monai_gu2net.report import table_markdown
from monai_gu2net.report.tables import table_of

REFERENCE = ("torch", "float32")
ENGINES = (
    REFERENCE,
    ("openvino", "float32"),
    ("onnxruntime", "float32"),
    ("torch", "bfloat16"),
    ("openvino", "bfloat16"),
)
LIMIT_PX = 0.05
COLUMNS = {
    "Domain": "{domain}",
    "Engine": "{engine}",
    "Landmarks": "{count}",
    "MRE": "{mre:.4f} {unit}",
    "95 % interval": "{mre_low:.3f} to {mre_high:.3f}",
    "Moved: median": "{moved_median:.4f} px",
    "99 %": "{moved_99:.4f} px",
    "Most": "{moved_most:.4f} px",
    f"> {LIMIT_PX} px": "{moved_share:.2f} %",
}


def moved(rows: pd.DataFrame, reference: pd.DataFrame) -> pd.Series:
    """Distance in pixels of the file between the points of two tables of the same landmarks; inf where one has none."""
    keys = ["domain", "case", "landmark"]
    both = rows.merge(reference, on=keys, suffixes=("", "_of_reference"), how="outer", validate="one_to_one")
    axes = [axis for axis in "xyz" if f"predicted_{axis}" in rows]
    ours, theirs = (both[[f"predicted_{axis}{end}" for axis in axes]].to_numpy() for end in ("", "_of_reference"))
    distance = np.sqrt(((ours - theirs) ** 2).sum(axis=1))
    neither = np.isnan(ours).any(axis=1) & np.isnan(theirs).any(axis=1)
    return pd.Series(np.where(neither, 0.0, np.where(np.isnan(distance), np.inf, distance)), index=both["domain"])


def lines(engine: str, rows: pd.DataFrame, reference: pd.DataFrame) -> pd.DataFrame:
    """A line for each domain."""
    totals = summarize_rows(rows)
    totals = totals[totals["landmark"].isna()]
    distances = moved(rows, reference).groupby(level=0)
    of_domain = pd.DataFrame(
        {
            "moved_median": distances.median(),
            "moved_99": distances.quantile(0.99),
            "moved_most": distances.max(),
            "moved_share": distances.agg(lambda values: 100 * (values > LIMIT_PX).mean()),
        }
    )
    kept = ["domain", "unit", "images", "count", "mre", "mre_low", "mre_high"]
    return totals[kept].assign(engine=engine).merge(of_domain, left_on="domain", right_index=True)


def main() -> None:
    """Print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("datalist", type=Path, metavar="DATA.json")
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--split", default="test")
    parser.add_argument("--output-dir", type=Path, default=Path("."))
    options = parser.parse_args()
    keep_freed_memory()
    data = Datalist.load(options.datalist)
    found: list[pd.DataFrame] = []
    reference = None
    for backend, precision in ENGINES:
        try:
            predictor = Predictor(options.checkpoint, PredictionOptions(backend=backend, precision=precision))
        except (ImportError, ValueError) as error:
            if reference is None:
                raise
            sys.stderr.write(f"left out: {error}\n")
            continue
        domains, cases = fitting_cases(predictor.card, data, split=options.split)
        results, failures = predictor.run(cases, domains=domains)
        sys.stderr.write(f"{predictor.backend}: {len(cases) - len(failures)} of {len(cases)} images\n")
        rows = pd.DataFrame(results)
        reference = rows if reference is None else reference
        found.append(lines(str(predictor.backend), rows, reference))
    table = pd.concat(found, ignore_index=True)
    text = table_markdown(table_of("Engines", table, COLUMNS, text_columns=2))
    sys.stdout.write(f"{text}\n")
    write_text_whole(options.output_dir / "backends.md", f"{text}\n")
    write_text_whole(options.output_dir / "backends.csv", table.to_csv(index=False))


if __name__ == "__main__":
    main()
