# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""A listener whose answer to an image is a small file: what a listener does, without a network.

Arguments: the spool's folder, the folder for deliveries. It prints its port and runs until it is killed. Each delivery
is a new file in the folder, so that none hides another.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from monai_gu2net.connections import Listener, Spool, Worker


def answer(image: Path, folder: Path) -> None:
    """Its own time in it, so that two answers to one image would differ."""
    time.sleep(0.002)
    (folder / f"{image.stem}.sr.dcm").write_text(f"{image.stem} {time.time_ns()}")


class Deliveries:
    """Keeps every delivery apart."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def deliver(self, files: Sequence[Path]) -> None:
        """Write them under a name of this delivery's."""
        for path in files:
            temporary = self.folder / f"tmp.{os.getpid()}"
            temporary.write_bytes(path.read_bytes())
            temporary.rename(self.folder / f"{path.name}.{time.time_ns()}")


if __name__ == "__main__":
    spool = Spool(sys.argv[1])
    listener = Listener(spool, allowed=["MODALITY"], port=0)
    port = listener.start()[1]
    Worker(spool, answer, Deliveries(Path(sys.argv[2]))).start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    time.sleep(600)
