# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import subprocess
import sys

from monai_gu2net.prediction.begun import Begun


def test_what_was_begun_and_not_ended_is_counted() -> None:
    begun = Begun()
    assert [begun.begin("a"), begun.begin("b"), begun.begin("a")] == [0, 0, 1]
    begun.end("a")
    begun.end("never begun")
    assert [begun.begin("a"), begun.begin("b")] == [0, 1]


def test_its_process_does_not_load_pytorch() -> None:
    code = "import sys, monai_gu2net.prediction.begun; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
