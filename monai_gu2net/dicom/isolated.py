# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Decoding in a child process, whose end is an error of one file and not the end of the program."""

from __future__ import annotations

import atexit
import contextlib
import json
import math
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

import numpy as np

from monai_gu2net.dicom.limits import DicomError, Limits

__all__ = ["READY", "decode_isolated", "end_worker", "stop_decoding"]

_ROOT = Path(__file__).parents[2]
_COMMAND = (sys.executable, "-m", "monai_gu2net.dicom.decoding_process")
READY = b"ready\n"
_SECONDS_TO_START = 120.0  # on a machine that is busy with other things
_FILES_PER_WORKER = 1000  # codecs that leak do not grow for ever


class _Worker:
    """One child process; it belongs to the process that started it."""

    def __init__(self, command: tuple[str, ...]) -> None:
        paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        self.files = 0
        # it starts in the package's folder: `python -m` looks for modules where it starts, and that is no place
        # for a folder of untrusted files
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=_ROOT,
            env={**os.environ, **threads, "PYTHONPATH": os.pathsep.join(paths)},
        )

    def ask(self, request: dict[str, Any], limits: Limits) -> tuple[dict[str, Any], np.ndarray | None]:
        """The child's answer; EOFError when it died, TimeoutError when it took too long."""
        assert self.process.stdin is not None  # both are pipes
        assert self.process.stdout is not None
        if self.files == 0:  # its start is no file's fault, and on a busy machine takes longer than most files
            with self._ended_after(_SECONDS_TO_START):
                if self.process.stdout.readline() != READY:
                    raise RuntimeError(
                        "The child process that decodes must start; it did not. "
                        "See why: python -m monai_gu2net.dicom.decoding_process"
                    )
        self.files += 1
        with self._ended_after(limits.seconds) as late:
            return self._exchange(request, limits, late)

    @contextlib.contextmanager
    def _ended_after(self, seconds: float) -> Iterator[threading.Event]:
        """Kill the child after some time in here, and set the event then."""
        late = threading.Event()

        def end() -> None:
            late.set()
            self.process.kill()

        timer = threading.Timer(seconds, end)
        timer.daemon = True
        timer.start()
        try:
            yield late
        finally:
            timer.cancel()

    def _exchange(
        self, request: dict[str, Any], limits: Limits, late: threading.Event
    ) -> tuple[dict[str, Any], np.ndarray | None]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write(json.dumps(request).encode() + b"\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
            if not line.endswith(b"\n"):
                raise EOFError
            facts = json.loads(line)
            if "shape" not in facts:
                return facts, None
            if math.prod(facts["shape"]) > limits.pixels:
                raise EOFError
            pixels = np.empty(facts["shape"], dtype=np.float32)
            if _read_into(self.process.stdout, pixels.view(np.uint8).reshape(-1).data) != pixels.nbytes:
                raise EOFError
            return facts, pixels
        except (EOFError, OSError, ValueError):
            raise (TimeoutError if late.is_set() else EOFError) from None

    def end(self) -> None:
        """End the child and wait for it."""
        self.forget()
        self.process.kill()
        self.process.wait()

    def forget(self) -> None:
        """Close this process's ends of the pipes; when all are closed, the child leaves."""
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):  # bytes that the dead child did not take
                    pipe.close()


class _Owner:
    """The worker of this process, and who may talk to it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.worker: _Worker | None = None
        self.inherited: list[_Worker] = []  # a Popen that is dropped would wait for a child that is not its own

    def forked(self) -> None:
        self.lock = threading.Lock()
        if self.worker is not None:
            self.inherited.append(self.worker)
            self.worker.forget()
            self.worker = None


_owner = _Owner()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_owner.forked)


def decode_isolated(
    path: Path, *, limits: Limits, frame: int | None = None, colour: bool = False, slices: bool = False
) -> tuple[dict[str, Any], np.ndarray]:
    """Read a file in this process's child, started at the first call.

    Args:
        path: the file.
        limits: what it may cost; the child is ended and started again when it takes too long.
        frame: as in :func:`monai_gu2net.dicom.read_radiograph`.
        colour: likewise.
        slices: the file holds one or several slices of a volume, and all are asked for.

    Returns:
        (what the child says of it, pixels (W, H) float32, or (W, H, F) of slices, where padding is NaN).

    Raises:
        DicomError: the file cannot be read, or reading it ended the child.
        FileNotFoundError: there is no such file.
        RuntimeError: the child cannot start.
    """
    # absolute, since the child works in another folder
    request: dict[str, Any] = {"path": os.path.abspath(path), "limits": asdict(limits)}
    request |= {"frame": frame, "colour": colour, "slices": slices}
    with _owner.lock:
        if _owner.worker is not None and _owner.worker.files >= _FILES_PER_WORKER:
            _end_worker()
        if _owner.worker is None or _owner.worker.process.poll() is not None:
            _end_worker()
            _owner.worker = _Worker(_COMMAND)
        try:
            facts, pixels = _owner.worker.ask(request, limits)
        except TimeoutError:
            _end_worker()
            reason = f"take at most {limits.seconds:g} s; it took longer. Raise Limits.seconds if you trust it."
            raise DicomError(f"{path.name}: decoding must {reason}") from None
        except EOFError:
            _end_worker()
            reason = "not end the process it runs in; it did. The file is broken or hostile: export it again."
            raise DicomError(f"{path.name}: decoding must {reason}") from None
        except BaseException:  # an interrupt leaves an answer half read
            _end_worker()
            raise
    if "missing" in facts:
        raise FileNotFoundError(facts["missing"])
    if pixels is None:
        raise DicomError(facts["error"])
    return facts, pixels


def end_worker() -> None:
    """End this process's child, if it has one; the next file starts another."""
    with _owner.lock:
        _end_worker()


def stop_decoding() -> None:
    """End the child at once where it is at work for another thread, whose file is an error then."""
    worker = _owner.worker
    if worker is not None and _owner.lock.locked():
        worker.process.kill()


def _end_worker() -> None:
    """As :func:`end_worker`, for whoever holds the lock."""
    if _owner.worker is not None:
        _owner.worker.end()
        _owner.worker = None


def _read_into(source: IO[bytes], target: memoryview) -> int:
    """Bytes read; fewer than asked for where the source ended."""
    done = 0
    while done < len(target):
        count = source.readinto(target[done:])  # type: ignore[attr-defined]
        if not count:
            break
        done += count
    return done


atexit.register(end_worker)
