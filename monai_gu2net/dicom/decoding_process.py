# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The child process that decodes: ``python -m monai_gu2net.dicom.decoding_process``.

It says that it is ready, then reads requests from its standard input, one line of JSON each: ``path``, ``limits``,
``frame``, ``colour``, ``slices``. It answers each with a line of JSON: ``error``, ``missing``, or ``shape``,
``spacing``, ``spacing_source``, ``problem`` and ``metadata``, these followed by the pixels, float32 in the machine's
byte order. It leaves when its input ends.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import logging
import os
import signal
import sys
import warnings
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from monai_gu2net.dicom.header import read_image
from monai_gu2net.dicom.isolated import READY
from monai_gu2net.dicom.limits import DicomError, Limits
from monai_gu2net.dicom.metadata import metadata_of
from monai_gu2net.dicom.pixel_spacing import spacing_of
from monai_gu2net.dicom.pixels import read_frames, read_pixels

try:
    import resource
except ImportError:  # Windows: no limit of memory
    resource = None  # type: ignore[assignment]

__all__ = ["answer", "main"]

_SECONDS_AFTER_PARENT = 5  # the parent ends a slow child; where it cannot any more, the child does


def answer(request: dict[str, Any]) -> tuple[dict[str, Any], np.ndarray | None]:
    """Read one file as a request says, in this process.

    Returns:
        (answer, pixels (W, H) float32, or (W, H, F) of slices, or None with an error).
    """
    name = Path(request["path"]).name
    limits = Limits(**request["limits"])
    try:
        image = read_image(request["path"], limits=limits)
        if request["slices"]:
            pixels = read_frames(image, name=name, limits=limits)
        else:
            pixels = read_pixels(image, name=name, limits=limits, frame=request["frame"], colour=request["colour"])
        spacing = spacing_of(image)
    except DicomError as error:
        return {"error": str(error)}, None
    except FileNotFoundError as error:
        return {"missing": str(error)}, None
    except MemoryError:
        return {
            "error": f"{name}: decoding must need at most {limits.memory_bytes} bytes of memory; it needs more. "
            "Raise Limits.memory_bytes if you trust it."
        }, None
    facts = {
        "shape": pixels.shape,
        "spacing": spacing.mm,
        "spacing_source": spacing.source,
        "problem": spacing.problem,
        "metadata": metadata_of(image),
    }
    return facts, pixels


def main() -> None:
    """Answer requests until the input ends."""
    requests, answers = sys.stdin.buffer, _take_over_output()
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    for module in ("gdcm", "openjpeg", "pydicom.pixels"):  # before memory is limited; each is optional
        with contextlib.suppress(ImportError):
            importlib.import_module(module)
    answers.write(READY)
    answers.flush()
    for line in requests:
        request = json.loads(line)
        _limit(Limits(**request["limits"]))
        facts, pixels = answer(request)
        answers.write(json.dumps(facts).encode() + b"\n")
        if pixels is not None:
            answers.write(pixels.tobytes())
        answers.flush()
        if hasattr(signal, "alarm"):
            signal.alarm(0)


def _take_over_output() -> BinaryIO:
    """Standard output for answers alone: whatever codecs print goes nowhere."""
    own = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(nowhere, descriptor)
    os.close(nowhere)
    return own


def _limit(limits: Limits) -> None:
    """Bound the memory above what the process has now, and the time."""
    if hasattr(signal, "alarm"):
        signal.alarm(int(limits.seconds) + _SECONDS_AFTER_PARENT)
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except OSError:  # not Linux
        return
    if resource is not None:
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        soft = pages * resource.getpagesize() + limits.memory_bytes
        resource.setrlimit(resource.RLIMIT_AS, (soft if hard < 0 else min(soft, hard), hard))


if __name__ == "__main__":
    main()
