# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Predicts the images of a list on Ray, as `predict --ray` does, with workers that are slow, leave a log and can die.

    python ray_run.py MODEL LIST RESULTS LOG

A line of the log is an image that a worker began; at one whose name has "deadly" in it the worker dies.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Sequence

import pyarrow as pa

from monai_gu2net.prediction import PredictionOptions, many_images, predict_many
from monai_gu2net.prediction.image_worker import ImageWorker
from monai_gu2net.sources import image_places


class LoggingWorker(ImageWorker):
    """Ray sends it to the workers with the log's path in it, since it is of the main module."""

    log = ""

    def _results(self, images: Sequence[str]) -> pa.Table:
        for image in images:
            with open(self.log, "a") as file:
                file.write(f"{image}\n")
            if "deadly" in image:
                os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(0.1)
        return super()._results(images)


if __name__ == "__main__":
    model, images, results, LoggingWorker.log = sys.argv[1:]
    many_images.ImageWorker = LoggingWorker  # type: ignore[misc]
    found, _ = image_places(lists=[images])
    options = PredictionOptions(spacing=(0.5, 0.25), backend="torch")
    done = predict_many(found, model, options, output_dir=results, workers=2, batch=2, seconds_per_part=0)
    sys.stdout.write(json.dumps([done.earlier, done.done, done.failed]))
