# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Answering the images of a spool, one after the other."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable
from pathlib import Path

from monai_gu2net.connections.destination import DeferredError, Destination, RefusedError, UnreachableError
from monai_gu2net.connections.spool import Spool
from monai_gu2net.files import full_disk

__all__ = ["Answer", "NoAnswerError", "Worker"]

_log = logging.getLogger(__name__)

Answer = Callable[[Path, Path], object]
"""Writes the answers to an image, its first argument, as DICOM files into a folder, its second."""


class NoAnswerError(ValueError):
    """There is no answer to an image; the message says why, without a value of the image's tags."""


class Worker(threading.Thread):
    """Answers the images of a spool and delivers the answers, until it is stopped.

    An image without an answer is a failure of the spool, and the worker goes on. While the destination is away images
    are still answered, and the answers wait in the spool. An answer that it does not take at the moment waits alone.

    Args:
        spool: of the images.
        answer: what is asked for an answer; raises NoAnswerError.
        destination: where answers go.
        retry_s: first and longest pause after the destination was away, or did not take an answer, in seconds; it
            doubles from the one to the other.
    """

    def __init__(
        self, spool: Spool, answer: Answer, destination: Destination, *, retry_s: tuple[float, float] = (2.0, 300.0)
    ) -> None:
        super().__init__(name="answers", daemon=True)
        self.spool, self.answer, self.destination, self.retry_s = spool, answer, destination, retry_s
        self._ended = threading.Event()
        self._pause, self._away_until = retry_s[0], 0.0
        self._next_delivery = 0.0  # of any answer
        self._deferred: dict[str, tuple[float, float]] = {}  # name: when it is tried again, and the pause after that

    def stop(self, timeout_s: float | None = None) -> None:
        """End after the image at hand.

        Args:
            timeout_s: to wait for it; None: as long as it takes.
        """
        self._ended.set()
        self.spool.wake()
        self.join(timeout_s)

    def run(self) -> None:
        """Work until stopped."""
        while not self._ended.is_set():
            try:
                if not self._step():
                    self.spool.wait(self._idle_s())
            except Exception as error:  # such as a full disk: nothing is lost, and it may pass
                _log.error("The spool must be usable; got %s. Trying again in %g s", _kind(error), self.retry_s[0])
                self._ended.wait(self.retry_s[0])

    def _idle_s(self) -> float:
        """Until there may be something to do: images are also moved into the spool by hand."""
        return min(5.0, max(0.0, self._next_delivery - time.monotonic()))

    def _step(self) -> bool:
        """Deliver what can be, then answer one image; False: there was none."""
        if time.monotonic() >= self._next_delivery:
            self._deliver()
        image = self.spool.claim()
        if image is None:
            return False
        name, start = image.stem, time.monotonic()
        try:
            with self.spool.answering(name) as folder:
                self.answer(image, folder)
                if not any(folder.iterdir()):
                    raise NoAnswerError("no answer was written")
        except NoAnswerError as error:
            self._fail(name, str(error))
        except Exception as error:
            if full_disk(error) is not None:  # not the image's fault: it stays claimed
                raise
            _log.error("%s: got %s", name, _kind(error))
            if not self.spool.release(name, f"three tries ended with {_kind(error)}"):
                _log.error("%s failed", name)
            self._ended.wait(self.retry_s[0])
        else:
            self._next_delivery = min(self._next_delivery, self._away_until)
            _log.info("%s answered in %.1f s", name, time.monotonic() - start)
        return True

    def _deliver(self) -> None:
        folders = self.spool.undelivered()
        self._deferred = {path.name: self._deferred[path.name] for path in folders if path.name in self._deferred}
        for folder in folders:
            if self._ended.is_set():
                return
            due, pause = self._deferred.get(folder.name, (0.0, self.retry_s[0]))
            if time.monotonic() < due:
                continue
            try:
                self.destination.deliver(sorted(folder.iterdir()))
            except RefusedError as error:
                self._fail(folder.name, str(error))
            except DeferredError as error:
                self._pause = self.retry_s[0]  # it is there
                self._defer(folder.name, pause, str(error))
                continue
            except UnreachableError as error:
                self._away_until = self._next_delivery = time.monotonic() + self._pause
                _log.warning("%s Trying again in %g s; %d wait", error, self._pause, len(self.spool))
                self._pause = min(2 * self._pause, self.retry_s[1])
                return
            except Exception as error:  # such as a file that was damaged on the disk: the others go on
                self._defer(folder.name, pause, f"The answer must be deliverable; got {_kind(error)}.")
                continue
            else:
                self.spool.done(folder.name)
                self._pause = self.retry_s[0]
                _log.info("%s delivered; %d wait", folder.name, len(self.spool))
            self._deferred.pop(folder.name, None)
        self._next_delivery = min((due for due, _ in self._deferred.values()), default=math.inf)

    def _defer(self, name: str, pause: float, reason: str) -> None:
        self._deferred[name] = (time.monotonic() + pause, min(2 * pause, self.retry_s[1]))
        _log.warning("%s: %s Trying again in %g s", name, reason, pause)

    def _fail(self, name: str, reason: str) -> None:
        self.spool.fail(name, reason)
        _log.error("%s failed: %s", name, reason)


def _kind(error: Exception) -> str:
    """What kind of error it is: its words may quote the image."""
    return type(error).__name__
