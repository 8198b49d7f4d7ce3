# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Images per second on Ray with 1, 2, ... workers, what a worker's time goes to, and what a million images cost.

    python benchmarks/many_images.py --model model.pt --domain head [--images 100] [--workers 1 2]

The images are the phantom's, or those of --folder. What a worker does is timed in one process with one thread. What
many machines would do is worked out from what this one did; prices are assumptions, to be replaced by one's own.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
import tempfile
import time
from pathlib import Path

import pyarrow as pa
import torch

from monai_gu2net.phantom import make_phantom
from monai_gu2net.prediction import Predictor, predict_many
from monai_gu2net.prediction.result_parts import ResultParts, result_block, result_schema
from monai_gu2net.sources import image_places
from monai_gu2net.transforms import RadiographPreprocessing

BATCH = 8
LARGE_BATCH = 128  # images that a worker gets at a time where there are a million
DRIVER_BATCHES = 100  # that Ray's driver hands out per second: measured with workers that do nothing, on a busy machine


def on_ray(images: pa.ChunkedArray, options: argparse.Namespace, workers: int, results: Path) -> tuple[float, float]:
    """Seconds until the first results, and images per second from then on."""
    began = time.perf_counter()
    seen: list[tuple[float, int]] = []
    predict_many(
        images,
        options.model,
        output_dir=results,
        domain=options.domain,
        workers=workers,
        batch=BATCH,
        seconds_per_part=0,
        on_case=lambda count: seen.append((time.perf_counter(), count)),
    )
    (first, some), (last, all_of_them) = seen[1], seen[-1]
    return first - began, (all_of_them - some) / (last - first)


def in_one_worker(images: list[str], options: argparse.Namespace, folder: Path) -> dict[str, float]:
    """Processor milliseconds per image of the steps of a worker with one thread, and bytes of image and results."""
    torch.set_num_threads(1)
    predictor = Predictor(options.model)
    domain = predictor.checked_domain(options.domain)
    prepare = RadiographPreprocessing(predictor.card.domains_for_new_images)
    cases = [{"image": image, "domain": domain, "case": image} for image in images]
    predictor.run(cases[:2])
    schema = result_schema()
    with ResultParts(folder, schema=schema) as parts:
        times = [time.process_time()]
        for case in cases:
            prepare(dict(case))
        times.append(time.process_time())
        rows, failures = predictor.run(cases)
        times.append(time.process_time())
        parts.write([result_block(rows, failures, schema=schema)])
        times.append(time.process_time())
    reading, all_steps, writing = (1000 * (after - before) / len(cases) for before, after in itertools.pairwise(times))
    written = sum(path.stat().st_size for path in folder.rglob("*.parquet"))
    return {
        "reading": reading,
        "network": all_steps - reading,
        "writing": writing,
        "image_bytes": sum(os.path.getsize(image) for image in images) / len(images),
        "result_bytes": written / len(images),
    }


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=Path("bundles/gu2net/models/model.pt"))
    parser.add_argument("--domain", default="head")
    parser.add_argument("--images", type=int, default=100, help="of the phantom (default %(default)s)")
    parser.add_argument("--folder", type=Path, help="of images, instead of the phantom")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--machines", type=int, default=100)
    parser.add_argument("--price-core-hour", type=float, default=0.04, help="assumed (default %(default)s)")
    parser.add_argument("--price-million-gets", type=float, default=0.4, help="assumed (default %(default)s)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        place = options.folder
        if place is None:
            make_phantom(folder / "phantom", cases={"test": options.images}, domains=(options.domain,))
            place = folder / "phantom" / options.domain
        images, _ = image_places([place])
        sys.stdout.write(
            f"{len(images)} images\n\n| workers | start, s | images/s | of one worker |\n|---|---|---|---|\n"
        )
        rates = {}
        for workers in options.workers:
            start, rates[workers] = on_ray(images, options, workers, folder / f"on_{workers}")
            ratio = rates[workers] / rates[options.workers[0]]
            sys.stdout.write(f"| {workers} | {start:.0f} | {rates[workers]:.2f} | {ratio:.2f} x |\n")
            sys.stdout.flush()
        one = in_one_worker(images.to_pylist(), options, folder / "one")
    whole = one["reading"] + one["network"] + one["writing"]
    sys.stdout.write("\n| step of a worker | CPU ms per image | share |\n|---|---|---|\n")
    for step in ("reading", "network", "writing"):
        sys.stdout.write(f"| {step} | {one[step]:.1f} | {one[step] / whole:.1%} |\n")
    on_paper(one, options, cores=max(rates), rate=rates[max(rates)])


def on_paper(one: dict[str, float], options: argparse.Namespace, *, cores: int, rate: float) -> None:
    """Print what many machines like this one do, each with the cores and images per second measured here."""
    together = rate * options.machines
    read, written = together * one["image_bytes"] / 1e6, together * one["result_bytes"] / 1e6
    core_hours = 1e6 / rate * cores / 3600
    price = core_hours * options.price_core_hour + options.price_million_gets
    prices = f"{options.price_core_hour} per core-hour and {options.price_million_gets} per million reads"
    rows = {
        f"{options.machines} machines of {cores} cores, on paper": "",
        "---": "---",
        "images per second": f"{together:.0f}",
        "a million images": f"{1e6 / together / 3600:.2f} h, {core_hours:.0f} core-hours",
        f"read from the store, {one['image_bytes'] / 1e6:.2f} MB each": f"{together:.0f} requests/s, {read:.0f} MB/s",
        "of it each machine": f"{read / options.machines:.1f} MB/s",
        f"results, {one['result_bytes'] / 1e3:.1f} kB per image": f"{written:.1f} MB/s to the driver",
        f"batches of {LARGE_BATCH}": f"{together / LARGE_BATCH:.1f} per second; the driver can {DRIVER_BATCHES}",
        f"price of a million images at {prices}": f"{price:.2f}",
    }
    sys.stdout.write("\n" + "".join(f"| {what} | {value} |\n" for what, value in rows.items()))


if __name__ == "__main__":
    main()
