# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Make the pictures and tables of ``docs/results`` from a training run of the bundle on the phantom.

    python docs/showcase.py bundles/gu2net/output

Copies the learning curve, the results table, the error curves and the page of overlays, and draws a sheet of phantom
images with their landmarks.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from monai_gu2net.data import Datalist
from monai_gu2net.evaluation import read_rows, summarize_rows
from monai_gu2net.report import summary_table, table_markdown
from monai_gu2net.transforms import LoadRadiographd
from monai_gu2net.visualize import contact_sheet, draw_landmarks, save_picture

RESULTS = Path(__file__).parent / "results"


def main(run: Path) -> None:
    """Fill ``docs/results`` from the output folder of a run."""
    RESULTS.mkdir(exist_ok=True)
    for name in ("learning_curve.png", "report/curves.png", "report/summary.csv"):
        shutil.copy(run / name, RESULTS / Path(name).name)
    with Image.open(run / "report" / "overlays.png") as page:
        page.thumbnail((1600, 3200))
        page.convert("RGB").save(RESULTS / "overlays.jpg", quality=85)
    summaries = summarize_rows(read_rows(run / "report" / "landmarks.csv"))
    table = table_markdown(summary_table("By domain", summaries[summaries["landmark"].isna()]))
    (RESULTS / "table.md").write_text(table, encoding="utf-8")
    data = Datalist.load(run / "phantom" / "datalist.json")
    load = LoadRadiographd("image")
    pictures = []
    for domain in data.domains.values():
        for case in [case for case in data.test if case["domain"] == domain.name][:2]:
            points = np.array([point or (np.nan, np.nan) for point in case["landmarks"]])
            image = load({"image": case["image"]})["image"].as_tensor().numpy()
            pictures.append(draw_landmarks(image, reference=points, longest_side=480))
    save_picture(contact_sheet(pictures, columns=3), RESULTS / "phantom.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
