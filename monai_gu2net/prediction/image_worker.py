# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What one of many workers does: it loads the model once, and finds landmarks in the images that it is given."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from monai_gu2net.data.first_error import reason_of
from monai_gu2net.files import full_disk, write_bytes_whole
from monai_gu2net.files.places import is_uri
from monai_gu2net.prediction.fetching import fetch, scratch_folder
from monai_gu2net.prediction.prediction_options import PredictionOptions
from monai_gu2net.prediction.predictor import Predictor
from monai_gu2net.prediction.result_parts import result_block

__all__ = ["ImageWorker", "Work"]

_AT_ONCE = 8  # objects fetched at a time, for a store answers after tens of milliseconds
_DEATHS = 2  # of workers at one image


@dataclass(frozen=True, kw_only=True)
class Work:
    """What every worker of a run is told.

    Args:
        models: the content of the checkpoints, as objects of Ray: a worker's machine need not see their files.
        options: how the model is used.
        domain: of the images; None: it is told from each.
        device: where the network runs.
        threads: of the network on a processor.
        schema: of the results, see :func:`~monai_gu2net.prediction.result_parts.result_schema`.
        results: where they go.
        run: a name of the run's own.
        begun: a Ray actor of :class:`~monai_gu2net.prediction.begun.Begun`.
    """

    models: Sequence[Any]
    options: PredictionOptions
    domain: str | None
    device: str
    threads: int
    schema: pa.Schema
    results: str
    run: str
    begun: Any


class ImageWorker:
    """Finds the landmarks of batches of images.

    An image that fails is a row of its batch's result, and so is one at which two workers died while they had no other.

    Args:
        work: what it is told.
    """

    def __init__(self, work: Work) -> None:
        import ray
        import torch

        torch.set_num_threads(work.threads)
        self._ray, self._work = ray, work
        self._scratch = scratch_folder(work.results, work.run)
        with tempfile.TemporaryDirectory(dir=self._scratch) as folder:
            paths = [Path(folder) / f"{number}.pt" for number in range(len(work.models))]
            for path, content in zip(paths, ray.get(list(work.models)), strict=True):
                write_bytes_whole(path, content)
            self._predictor = Predictor(paths, work.options, device=work.device)

    def __call__(self, batch: pa.Table) -> pa.Table:
        """The results of a batch.

        Args:
            batch: with ``image``, paths and URIs.

        Returns:
            See :func:`~monai_gu2net.prediction.result_parts.result_block`.

        Raises:
            OSError: the disk of this machine is full, which is no image's fault.
        """
        images = batch["image"].to_pylist()
        if self._begun_before(f"batch {images[0]}") == 0:
            return self._results(images)
        blocks = []  # a worker died at one of them: which one?
        for image in images:
            if self._begun_before(image) < _DEATHS:
                blocks.append(self._results([image]))
            else:
                reason = (
                    f"The image must not end the process that reads it; got {_DEATHS} workers that died at it. "
                    "See whether it fits into memory."
                )
                blocks.append(self._block([], [self._failure(image, reason)]))
            self._ray.get(self._work.begun.end.remote(image))
        return pa.concat_tables(blocks)

    def _begun_before(self, what: str) -> int:
        return int(self._ray.get(self._work.begun.begin.remote(what)))

    def _results(self, images: Sequence[str]) -> pa.Table:
        with tempfile.TemporaryDirectory(dir=self._scratch) as folder, ThreadPoolExecutor(_AT_ONCE) as threads:
            copies = [Path(folder) / str(number) for number in range(len(images))]
            cases, failures = [], []
            for image, (file, reason) in zip(images, threads.map(_file_of, images, copies), strict=True):
                if reason:
                    failures.append(self._failure(image, reason))
                else:
                    cases.append({"image": file, "domain": self._work.domain, "case": image})
            rows, failed = self._predictor.run(cases)
        return self._block(rows, [*failures, *failed])

    def _block(self, rows: Sequence[Mapping[str, Any]], failures: Sequence[Mapping[str, str]]) -> pa.Table:
        return result_block(rows, failures, schema=self._work.schema)

    def _failure(self, image: str, reason: str) -> dict[str, str]:
        return {"case": image, "domain": self._work.domain or "", "reason": reason}


def _file_of(image: str, copy: Path) -> tuple[str, str]:
    """The file with an image, or why it cannot be had."""
    if not is_uri(image):
        return image, ""
    try:
        return str(fetch(image, copy)), ""
    except Exception as error:  # each of fsspec's file systems has errors of its own
        full = full_disk(error)
        if full is not None:
            raise full from error
        return "", f"The image must be there to be read; got {reason_of(error)}. Correct the URI, or the access."
