# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""A folder that holds what was received until it is answered, and survives a crash at any point."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from monai_gu2net.data.case_names import spool_name
from monai_gu2net.files import flush_to_disk, write_durably

__all__ = ["Spool", "SpoolFullError"]

_TRIES = 3  # an image that was put back as often has failed


class SpoolFullError(OSError):
    """The spool holds as much as it may, or its disk is full."""


class Spool:
    """Images that were accepted and are not answered yet, with the answers that are not delivered yet.

    An image is one file that moves by renaming. A crash at any moment leaves it in one of these states, and the next
    spool of the folder goes on from there:

    ===========================  ============================================================
    ``incoming/NAME.dcm``        accepted: written, flushed to the disk, renamed
    ``work/NAME.dcm``            claimed; goes back to ``incoming`` at the next start
    and ``answers/NAME/``        answered, and not delivered yet
    ``answers/NAME/`` alone      delivered; removed at the next start
    ``failed/NAME.json``         no answer, and why; the image is beside it
    ===========================  ============================================================

    Names are those of :func:`spool_name`. Moving an image from ``failed`` to ``incoming`` tries it again. An image that
    was claimed when the process died, three times over, has failed, so that it does not keep the others waiting.

    Args:
        folder: it is made; one process at a time may have it.
        max_files: images in ``incoming`` and ``work``.
        max_bytes: of these.
        max_failed: images kept in ``failed``; of the oldest beyond them the reason stays and the image goes.

    Raises:
        OSError: another process has the folder, or it cannot be written to.
        ValueError: a bound is not positive.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        max_files: int = 10_000,
        max_bytes: int = 20 * 2**30,
        max_failed: int = 1000,
    ) -> None:
        if min(max_files, max_bytes, max_failed) < 1:
            raise ValueError(
                f"max_files, max_bytes and max_failed must be positive; got {max_files}, {max_bytes}, {max_failed}. "
                "Correct them."
            )
        self.max_files, self.max_bytes, self.max_failed = max_files, max_bytes, max_failed
        root = Path(folder)
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.incoming, self.work, self.answers, self.failed = (
            root / name for name in ("incoming", "work", "answers", "failed")
        )
        for place in (self.incoming, self.work, self.answers, self.failed):
            place.mkdir(mode=0o700, exist_ok=True)
        self._owned = FileLock(root / "lock", thread_local=False)
        try:
            self._owned.acquire(timeout=0)
        except Timeout:
            raise OSError(
                f"The spool must belong to one process; got {root.name!r}, which another one has. "
                "Stop that, or choose another folder."
            ) from None
        self._lock, self._arrived = threading.Lock(), threading.Event()
        self._recover()
        self._held = {path.stem: path.stat().st_size for place in (self.incoming, self.work) for path in _images(place)}

    def close(self) -> None:
        """Let another process have the folder; what is in it stays."""
        self._owned.release()

    def __len__(self) -> int:
        """Images that wait for their answer or its delivery."""
        return len(self._held)

    def accept(self, sop_instance_uid: str, content: bytes) -> str:
        """Take an image in; when this returns, it is safely on the disk.

        Args:
            sop_instance_uid: of the image.
            content: of its file.

        Returns:
            Its name. An image that waits already is not written again, unless its file is gone.

        Raises:
            SpoolFullError: it would exceed a bound, or the disk did not take it; nothing of it is kept.
        """
        name, size = spool_name(sop_instance_uid), len(content)
        reserved = f"{name}.{secrets.token_hex(4)}"  # its own, for the same image may come twice at one time
        with self._lock:
            if name in self._held:
                if any((place / f"{name}.dcm").exists() for place in (self.incoming, self.work)):
                    return name
                del self._held[name]  # its file was removed by hand
            files, total = len(self._held) + 1, sum(self._held.values()) + size
            if files > self.max_files or total > self.max_bytes:
                raise SpoolFullError(
                    f"The spool must hold at most {self.max_files} images and {self.max_bytes} bytes; got {files} and "
                    f"{total}. Wait until images are answered."
                )
            self._held[reserved] = size
        try:
            write_durably(self.incoming / f"{name}.dcm", content)
        except OSError as error:
            raise SpoolFullError(
                f"The spool must be able to write {size} bytes; got: {error.strerror}. Make room."
            ) from None
        finally:
            with self._lock:
                del self._held[reserved]
                if (self.incoming / f"{name}.dcm").exists():
                    self._held[name] = size
        self._arrived.set()
        return name

    def wait(self, seconds: float) -> None:
        """Wait until an image arrives, or :meth:`wake` is called, at most that long."""
        self._arrived.wait(seconds)
        self._arrived.clear()

    def wake(self) -> None:
        """End a wait."""
        self._arrived.set()

    def claim(self) -> Path | None:
        """The image that waits longest, now in ``work``; None: none does.

        One at a time: an image that was claimed and neither answered, released nor failed, for want of disk, is the
        next.
        """
        for left in _images(self.work):
            if not (self.answers / left.stem).exists():
                return left
        waiting = _oldest_first(_images(self.incoming))
        if not waiting:
            return None
        image = self.work / waiting[0].name
        with self._lock:
            waiting[0].replace(image)
            self._held[image.stem] = image.stat().st_size
        return image

    def release(self, name: str, reason: str) -> bool:
        """Put a claimed image back, behind the others; the third time it fails instead.

        Args:
            name: of the image.
            reason: of the failure, as in :meth:`fail`.

        Returns:
            Whether it is back.
        """
        image, tries = self.work / f"{name}.dcm", self.work / f"{name}.tries"
        with tries.open("a") as file:
            file.write(".")
        if tries.stat().st_size >= _TRIES:
            self.fail(name, reason)
            return False
        os.utime(image)
        with self._lock:
            image.replace(self.incoming / image.name)
        return True

    @contextmanager
    def answering(self, name: str) -> Iterator[Path]:
        """An empty folder for the answers of a claimed image; what is in it at the end counts, all or nothing."""
        folder = self.answers / f".{name}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        try:
            yield folder
            for path in folder.iterdir():
                flush_to_disk(path)
            flush_to_disk(folder)
            shutil.rmtree(self.answers / name, ignore_errors=True)
            folder.rename(self.answers / name)
            flush_to_disk(self.answers)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def undelivered(self) -> list[Path]:
        """Folders of answers that are not delivered, oldest first; each has its image's name."""
        return _oldest_first(path for path in self.answers.iterdir() if (self.work / f"{path.name}.dcm").exists())

    def done(self, name: str) -> None:
        """The answers of an image are delivered."""
        self._leave(name)
        for leftover in (self.failed / f"{name}.json", self.failed / f"{name}.dcm"):
            leftover.unlink(missing_ok=True)

    def fail(self, name: str, reason: str) -> None:
        """A claimed image gets no answer; it is kept beside the reason.

        Args:
            name: of the image.
            reason: in words, without a value of the image's tags.
        """
        record = {"name": name, "reason": reason}
        write_durably(self.failed / f"{name}.json", (json.dumps(record, indent=2) + "\n").encode())
        image = self.work / f"{name}.dcm"
        os.utime(image)
        self._leave(name, to=self.failed)
        for path in _oldest_first(_images(self.failed))[: -self.max_failed]:
            path.unlink()

    def _leave(self, name: str, to: Path | None = None) -> None:
        image = self.work / f"{name}.dcm"
        with self._lock:
            if to is None:
                image.unlink(missing_ok=True)
            else:
                image.replace(to / image.name)
            self._held.pop(name, None)
        flush_to_disk(self.work)
        (self.work / f"{name}.tries").unlink(missing_ok=True)
        shutil.rmtree(self.answers / name, ignore_errors=True)

    def _recover(self) -> None:
        """Bring what a crash left into one of the states of an image."""
        for place in (self.incoming, self.failed):
            for path in place.glob(".*"):
                path.unlink()
        for folder in self.answers.iterdir():
            if not (self.work / f"{folder.name}.dcm").exists():
                shutil.rmtree(folder)
        self._held = {}
        for image in _images(self.work):
            if not (self.answers / image.stem).exists():
                self.release(image.stem, f"the process ended {_TRIES} times while it worked on this image")


def _images(place: Path) -> list[Path]:
    return [path for path in place.iterdir() if path.suffix == ".dcm" and not path.name.startswith(".")]


def _oldest_first(paths: Iterable[Path]) -> list[Path]:
    return sorted(paths, key=lambda path: (path.stat().st_mtime_ns, path.name))
