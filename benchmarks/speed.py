# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Time and memory of inference, training and whole predictions, in interleaved runs; and docs/performance.md from them.

    python benchmarks/speed.py [--parts inference training] [--device cuda] [--peer MODULE:CALLABLE] [--write-docs]

Each variant has a process of its own, which waits while another runs; they take turns, so that what else the machine
does hits all alike. Each run is a line of the results' file. A command that was interrupted goes on when it is given
again. What runs on CUDA has not been tried.

A peer is another implementation: ``build(size=(W, H), n_landmarks=19, batch=4)`` gives two functions without arguments,
a step of training on such a batch and an inference of such a batch; with ``--device cuda`` it is given ``device``, too.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from timing.parts import PARTS, ROOT, run
from timing.results import Results, cores


def main() -> None:
    """Measure what is missing, then print the tables or write them into the page."""
    options = _options()
    results = Results(options.results, again=tuple(options.again))
    if options.parts:
        load = os.getloadavg()[0]
        if load > 0.3:
            sys.stderr.write(f"The machine is busy (load {load:.1f} on {cores()} cores): figures will be too slow.\n")
        results.begin(size=options.size, batch=options.batch)
        run(results, options)
    from timing import page

    if options.write_docs:
        page.write(results, ROOT / "docs")
    else:
        sys.stdout.write("\n".join(f"## {name}\n\n{text}\n" for name, text in page.tables(results).items()))


def _size(text: str) -> list[int]:
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise argparse.ArgumentTypeError(f"must be WIDTHxHEIGHT; got {text!r}")
    return [int(width), int(height)]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="*", choices=PARTS, default=list(PARTS), metavar="PART", help=", ".join(PARTS))
    parser.add_argument(
        "--again", nargs="+", choices=PARTS, default=[], metavar="PART", help="forget their earlier runs"
    )
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--size", type=_size, default=[416, 512], help="WIDTHxHEIGHT (default 416x512)")
    parser.add_argument("--batch", type=int, default=4, help="of a training step (default %(default)s)")
    parser.add_argument("--rounds", type=int, help="by default as many as each part needs")
    parser.add_argument("--peer", metavar="MODULE:CALLABLE", help="another implementation, found on PYTHONPATH")
    parser.add_argument("--before", type=Path, metavar="CHECKOUT", help="an earlier version to compare with")
    parser.add_argument("--model", type=Path, default=ROOT / "bundles" / "gu2net" / "models" / "model.pt")
    parser.add_argument("--domain", default="head", help="of the images (default %(default)s)")
    parser.add_argument("--images", type=Path, metavar="FOLDER", help="by default 100 heads of the phantom")
    parser.add_argument(
        "--phantom", type=Path, default=Path("speed_phantom"), metavar="FOLDER", help="where to draw it"
    )
    parser.add_argument("--results", type=Path, default=ROOT / "docs" / "performance" / "speed.jsonl")
    parser.add_argument("--write-docs", action="store_true", help="fill docs/performance.md")
    return parser.parse_args()


if __name__ == "__main__":
    main()
