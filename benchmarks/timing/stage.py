# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""A part of what ``predict`` does, from the start of Python to it: loading the model, reading, points without pictures.

python benchmarks/timing/stage.py load|read|points MODEL DOMAIN FOLDER DEVICE
"""

from __future__ import annotations

import sys
from pathlib import Path

from monai_gu2net.engines import keep_freed_memory, wait_passively


def main(stage: str, model: str, domain: str, folder: str, device: str) -> None:
    """Do it, with what comes before it."""
    keep_freed_memory()
    wait_passively()  # before PyTorch is loaded, as the command does
    from monai_gu2net.prediction import Predictor
    from monai_gu2net.sources import images_in
    from monai_gu2net.transforms import RadiographPreprocessing

    predictor = Predictor(model, device=device)
    if stage == "load":
        return
    images, _ = images_in(Path(folder))
    if stage == "points":
        predictor.predict_files(images, output_dir="found", domain=domain, overlays=False)
        return
    read = RadiographPreprocessing(predictor.card.domains_for_new_images)
    for path in images:
        read({"image": str(path), "domain": domain, "case": path.stem})


if __name__ == "__main__":
    main(*sys.argv[1:])
