# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pynetdicom import AE

from monai_gu2net.connections import spool_name

_SCRIPT = Path(__file__).with_name("listener_with_copies.py")


def start(spool: Path, deliveries: Path) -> tuple[subprocess.Popen[str], int]:
    process = subprocess.Popen([sys.executable, str(_SCRIPT), str(spool), str(deliveries)], stdout=-1, text=True)
    assert process.stdout is not None
    return process, int(process.stdout.readline())


@pytest.mark.integration
def test_killed_in_the_middle_of_a_hundred_stores_every_accepted_image_is_answered_once(
    make_dicom: Callable[..., Path], tmp_path: Path
) -> None:
    """The sender goes on to the restarted listener with what got no reply, as a modality does."""
    image = pydicom.dcmread(make_dicom(tmp_path / "image.dcm", np.zeros((3, 4), np.uint16)))
    deliveries = tmp_path / "deliveries"
    deliveries.mkdir()
    accepted: list[str] = []
    waiting = [f"1.2.{number}" for number in range(100)]
    application = AE(ae_title="MODALITY")
    application.add_requested_context(image.SOPClassUID, image.file_meta.TransferSyntaxUID)
    for kill_after in (37, 71, None):
        process, port = start(tmp_path / "spool", deliveries)
        with process:
            try:
                association = application.associate("127.0.0.1", port, ae_title="GU2NET")
                connection = association.dul.socket.socket
                while waiting:
                    image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = waiting[0]
                    if association.send_c_store(image).get("Status") != 0x0000:
                        break
                    accepted.append(waiting.pop(0))
                    if len(accepted) == kill_after:
                        process.kill()
                association.abort()
                connection.close()  # pynetdicom forgets it open where the peer has died
                end = time.monotonic() + 60
                names = {f"{spool_name(uid)}.sr.dcm" for uid in accepted}
                while kill_after is None and {path.stem for path in deliveries.iterdir()} < names:
                    assert time.monotonic() < end, "some are never answered"
                    time.sleep(0.05)
            finally:
                process.kill()
        assert process.returncode == -9
    assert len(accepted) == 100
    by_name: dict[str, set[str]] = {}
    for path in deliveries.iterdir():
        by_name.setdefault(path.stem, set()).add(path.read_text())
    assert by_name.keys() == names
    assert [len(objects) for objects in by_name.values()] == [1] * 100, "delivered again, it is the same object"
    assert not list((tmp_path / "spool" / "failed").iterdir())
