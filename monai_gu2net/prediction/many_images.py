# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Landmarks of very many images, found by many workers on Ray Data."""

from __future__ import annotations

import dataclasses
import logging
import os
import re
import shutil
import socket
import time
import uuid
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from monai_gu2net.files.places import file_system
from monai_gu2net.prediction.begun import Begun
from monai_gu2net.prediction.fetching import scratch_folder
from monai_gu2net.prediction.image_worker import ImageWorker, Work
from monai_gu2net.prediction.prediction_options import PredictionOptions
from monai_gu2net.prediction.predictor import Checkpoints, Predictor
from monai_gu2net.prediction.result_parts import ResultParts, result_schema

__all__ = ["ManyImages", "predict_many"]

_OPTIONS = PredictionOptions()
_ROWS_PER_PART = 1_000_000
SHOWN = 10
"""Failures that a summary has."""
_BATCHES = 4096  # that a run is cut into, as long as they are neither small nor large
_BATCH = (8, 128)
_BATCHES_AT_ONCE = 8192  # Ray's driver holds something for each
_OBJECT_STORE_BYTES = 512 * 2**20  # of models, names and results


@dataclasses.dataclass(frozen=True)
class ManyImages:
    """What a run of :func:`predict_many` did.

    Args:
        earlier: images that were done before.
        done: images whose landmarks this run wrote.
        failed: images that failed, in this run and before.
        engine: that the workers run the networks on, with version and precision.
        reasons: the first failures of this run, with ``case``, ``domain`` and ``reason``.
    """

    earlier: int
    done: int
    failed: int
    engine: str
    reasons: list[dict[str, str]]


def predict_many(
    images: pa.ChunkedArray,
    checkpoint: Checkpoints,
    options: PredictionOptions = _OPTIONS,
    *,
    output_dir: str | os.PathLike[str],
    domain: str | None = None,
    device: str = "cpu",
    address: str | None = None,
    workers: int | None = None,
    retry_failed: bool = False,
    batch: int | None = None,
    seconds_per_part: float = 10.0,
    on_case: Callable[[int], None] = lambda count: None,
) -> ManyImages:
    """Find the landmarks of very many images, and write them as Parquet parts.

    A run that was stopped or killed at any moment goes on when it is started again: an image that is in a part is not
    done again, and all others are.

    Args:
        images: paths and URIs, each once, see :func:`~monai_gu2net.sources.image_places`. A path or URI is the image's
            identity, and ``case`` of its results.
        checkpoint: a trained model, or several whose heatmaps are averaged.
        options: how it is used.
        output_dir: a folder, as a path or as a URI that fsspec knows, of which one run at a time may make use. It gets
            ``landmarks/part-*.parquet``, whose rows are those of
            :meth:`~monai_gu2net.prediction.Predictor.predict_files`, ``failures/part-*.parquet`` (``case``,
            ``domain``, ``reason``) and ``run.json``: model and options.
        domain: which of the model's domains the images are of; None: see
            :meth:`~monai_gu2net.prediction.Predictor.checked_domain`.
        device: where the networks run; with "cuda" each worker has one GPU.
        address: of a Ray cluster, whose machines have this package, and the images where these are paths. None: the
            workers are on this machine, and nothing listens to others.
        workers: how many, which share the cores; by default one per core, or per GPU.
        retry_failed: do images that failed in an earlier run again.
        batch: images that a worker is given at a time; by default 8, and up to 128 where there are very many.
        seconds_per_part: how often results are written; a run that is killed loses those of the last seconds.
        on_case: called with the number of images written, after each part.

    Returns:
        What was done, with the numbers of images.

    Raises:
        ImportError: Ray is not installed, or the package that fsspec needs for one of the URIs.
        OSError: the folder does not take files, another run has it, no cluster is at the address, or a worker fails at
            something else than an image, such as a disk that is full.
        ValueError: the domain is not one of the model's, the number of workers is impossible, or the folder holds
            results of another model or of other options.
    """
    for name, number in {"workers": workers, "batch": batch}.items():
        if number is not None and number < 1:
            raise ValueError(f"{name} must be at least 1; got {number}. Correct it.")
    predictor = Predictor(checkpoint, options, device=device)  # here, where its errors are seen at once
    domain = predictor.checked_domain(domain)
    schema = result_schema("xyz"[: predictor.card.spatial_dims])
    options = dataclasses.replace(options, backend=predictor.backend.name)  # one for all workers and later runs
    run = {"model": predictor.model, "domain": domain, "options": dataclasses.asdict(options)}
    models, engine = predictor.paths, str(predictor.backend)
    del predictor
    with ResultParts(output_dir, schema=schema) as parts:
        parts.begin(run)
        if retry_failed:
            parts.forget_failures()
        finished, failed = parts.finished()
        waiting = images.filter(pc.invert(pc.is_in(images, value_set=finished)))
        summary = ManyImages(len(images) - len(waiting), 0, failed, engine, [])
        if not len(waiting):
            return summary
        _check_kinds(waiting)
        on_case(summary.earlier)
        with _cluster(address) as ray:
            workers, threads = _shares(ray.cluster_resources(), device, workers)
            results = os.path.abspath(output_dir) if parts.is_local else parts.folder
            work = Work(
                models=[ray.put(path.read_bytes()) for path in models],
                options=options,
                domain=domain,
                device=device,
                threads=threads,
                schema=schema,
                results=results,
                run=uuid.uuid4().hex,
                begun=ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)(Begun).remote(),
            )
            batch = batch or min(max(len(waiting) // _BATCHES, _BATCH[0]), _BATCH[1])
            record = _Record(parts, summary, on_case, seconds_per_part)
            try:
                with closing(_blocks(ray, waiting, work, batch=batch, workers=workers)) as blocks:
                    for block in blocks:
                        record.add(block)
            finally:  # also what is there when a user stops the run
                record.write()
                shutil.rmtree(scratch_folder(results, work.run).parent, ignore_errors=True)
    return record.summary


def _blocks(
    ray: Any, images: pa.ChunkedArray, work: Work, *, batch: int, workers: int
) -> Generator[pa.Table, None, None]:
    """The results of the images, batch by batch as they come."""
    from ray.data import ActorPoolStrategy, DataContext, from_arrow

    on_gpu = work.device.startswith("cuda")
    context = DataContext.get_current()
    context.enable_progress_bars = context.print_on_execution_start = False
    for start in range(0, len(images), _BATCHES_AT_ONCE * batch):
        some = images.slice(start, _BATCHES_AT_ONCE * batch)
        tables = [pa.table({"image": some.slice(at, batch).to_pylist()}) for at in range(0, len(some), batch)]
        results = from_arrow(tables).map_batches(
            ImageWorker,
            fn_constructor_args=(work,),
            batch_size=batch,
            batch_format="pyarrow",
            compute=ActorPoolStrategy(size=min(workers, len(tables))),
            num_cpus=None if on_gpu else work.threads,
            num_gpus=1 if on_gpu else None,
        )
        try:
            yield from results.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0)
        except ray.exceptions.RayError as error:
            raise OSError(
                f"The workers must be able to go on; got {worker_error(str(error))}. What is written is whole: "
                "mend that, and start again."
            ) from error


def _check_kinds(images: pa.ChunkedArray) -> None:
    """Refuse URIs of a kind that cannot be read here, before each of them is a failure.

    Raises:
        ImportError: the package that fsspec needs for it is not installed.
        ValueError: fsspec does not know it.
    """
    kinds: dict[tuple[str, ...], str] = {}
    for image in images.filter(pc.match_substring(images, "://")):
        uri = image.as_py()
        kinds.setdefault(tuple(link.partition("://")[0] for link in uri.split("::")), uri)
    for uri in kinds.values():
        file_system(uri)


def worker_error(text: str) -> str:
    r"""What a worker said, of all that Ray says when one fails: the first line of a traceback with an error in it.

    Example:
        >>> worker_error("ray::Map() (pid=1)\n  File x\nOSError: disk full\n\nray.exceptions.UserCodeException: ...")
        'OSError: disk full'
        >>> worker_error("The node died.\nSee its logs.")
        'The node died.'
    """
    found = re.search(r"^\w+(Error|Exception|Interrupt): .+$", text, flags=re.MULTILINE)
    return found[0] if found else text.partition("\n")[0]


class _Record:
    """Writes results as they come, a part every few seconds, so that what a killed run loses is little.

    Args:
        parts: where to.
        summary: of what is there.
        on_case: called with the number of images there, after each part.
        seconds: between two parts.
    """

    def __init__(self, parts: ResultParts, summary: ManyImages, on_case: Callable[[int], None], seconds: float) -> None:
        self.summary, self._seconds = summary, seconds
        self._parts, self._on_case = parts, on_case
        self._there = summary.earlier
        self._blocks: list[pa.Table] = []
        self._began = time.monotonic()

    def add(self, block: pa.Table) -> None:
        """Take the results of a batch."""
        self._blocks.append(block)
        if time.monotonic() - self._began > self._seconds or sum(map(len, self._blocks)) > _ROWS_PER_PART:
            self.write()

    def write(self) -> None:
        """Write what is not written."""
        if self._blocks:
            self._parts.write(self._blocks)
            together = pa.concat_tables(self._blocks).select(["case", "domain", "reason"])
            self._blocks = []
            found = pc.is_null(together["reason"])
            failures = together.filter(pc.invert(found))
            done = pc.count_distinct(together.filter(found)["case"]).as_py()
            earlier = self.summary
            self.summary = dataclasses.replace(
                earlier,
                done=earlier.done + done,
                failed=earlier.failed + len(failures),
                reasons=[*earlier.reasons, *failures.slice(0, SHOWN - len(earlier.reasons)).to_pylist()],
            )
            self._there += done + len(failures)
            self._on_case(self._there)
        self._began = time.monotonic()


@contextmanager
def _cluster(address: str | None) -> Iterator[Any]:
    """Ray, connected to a cluster; without an address, to one on this machine alone, which ends with the block."""
    # to be set before Ray is imported: it sends nothing to its makers, and on this machine its processes listen at the
    # loopback address alone, as they do on Windows and macOS unless this says otherwise
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault("RAY_IGNORE_UNHANDLED_ERRORS", "1")  # those of Ray's own statistics
    if address is None:
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
        os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise ImportError(
            f"Prediction on Ray must have the package {error.name!r}; it is absent. "
            'Run: pip install "monai_gu2net[ray]"'
        ) from None
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # its errors are raised as well
    if ray.is_initialized():
        yield ray
        return
    if address is not None:
        _check_address(address)
    local: dict[str, Any] = (
        {"include_dashboard": False, "object_store_memory": _OBJECT_STORE_BYTES} if address is None else {}
    )
    try:
        ray.init(address=address or "local", log_to_driver=False, logging_level=logging.ERROR, **local)
    except ConnectionError as error:
        raise OSError(f"The address must be of a running Ray cluster; got {address!r} ({error}). Start it.") from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _check_address(address: str) -> None:
    """Refuse an address at which nobody answers, for which Ray waits very long.

    Raises:
        OSError: it is such a one.
    """
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon and port.isdecimal():
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
        except OSError as error:
            raise OSError(
                f"The address must be of a running Ray cluster; got {address!r} ({error}). Start it."
            ) from error


def _shares(resources: Mapping[str, float], device: str, workers: int | None) -> tuple[int, int]:
    """The number of workers, and the cores of each.

    Raises:
        ValueError: there are not so many cores or GPUs.
    """
    cores, gpus = int(resources.get("CPU", 0)), int(resources.get("GPU", 0))
    there, what = (gpus, "GPUs") if device.startswith("cuda") else (cores, "cores")
    workers = workers or there
    if not 0 < workers <= there:
        raise ValueError(f"The workers must be at most as many as Ray's {what}, {there}; got {workers}. Take fewer.")
    return workers, max(1, cores // workers)
