# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""An annotator, the app and Orthanc; what happened is printed as JSON.

It runs in a network of its own (``unshare --net``), for Orthanc listens at every address whatever its settings say.
Arguments: a folder with the images to store, ``*.dcm``, and labels for them, ``*.mrk.json``, which also takes all that
is written; a model with the domain "head".
"""

from __future__ import annotations

import base64
import fcntl
import json
import socket
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.request
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from monai_gu2net.landmarks import LandmarkSet
from monai_gu2net.landmarks.formats import read_markups, write_markups

warnings.filterwarnings("ignore", "'cgi' is deprecated", DeprecationWarning)

_HTTP, _LABEL = 8042, 8000
_URL = f"http://127.0.0.1:{_HTTP}/dicom-web"
_PLUGIN = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so"
_SECRET = "anna:secret"


def bring_loopback_up() -> None:
    """What ``ip link set lo up`` does."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh14x", b"lo", 0x1 | 0x40))  # SIOCSIFFLAGS, up and running


def wait_for(what: str, condition: Callable[[], bool], seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(what)
        time.sleep(0.2)


def answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=10).close()
    except urllib.error.HTTPError:
        return True  # it asks for a password
    except OSError:
        return False
    return True


def orthanc(folder: Path) -> subprocess.Popen[bytes]:
    settings = {
        "StorageDirectory": str(folder / "orthanc"),
        "IndexDirectory": str(folder / "orthanc"),
        "HttpPort": _HTTP,
        "DicomServerEnabled": False,
        "AuthenticationEnabled": True,
        "RegisteredUsers": dict([_SECRET.split(":")]),
        "Plugins": [_PLUGIN],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }
    (folder / "orthanc.json").write_text(json.dumps(settings))
    with (folder / "orthanc.log").open("wb") as log:
        return subprocess.Popen(["Orthanc", str(folder / "orthanc.json")], stdout=log, stderr=log)


def store(image: Path) -> None:
    credentials = base64.b64encode(_SECRET.encode()).decode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{_HTTP}/instances", image.read_bytes(), {"Authorization": f"Basic {credentials}"}
    )
    urllib.request.urlopen(request, timeout=30).close()


def label_server(folder: Path, model: Path) -> subprocess.Popen[bytes]:
    (folder / "secret").write_text(_SECRET)
    arguments = ["--studies", _URL, "-m", str(model), "--domain", "head", "--app-dir", str(folder / "app")]
    arguments += ["--password-file", str(folder / "secret"), "--port", str(_LABEL)]
    with (folder / "label.log").open("wb") as log:
        return subprocess.Popen([sys.executable, "-m", "monai_gu2net", "label", *arguments], stdout=log, stderr=log)


def positions(path: str | Path) -> list[list[float] | None]:
    points = json.loads(Path(path).read_text())["markups"][0]["controlPoints"]
    return [point.get("position") for point in points]


def annotate(folder: Path) -> dict[str, Any]:
    from monailabel.client import MONAILabelClient

    client = MONAILabelClient(f"http://127.0.0.1:{_LABEL}", tmpdir=str(folder), client_id="anna")
    total = client.info()["datastore"]["total"]
    image = client.next_sample("first", {})["id"]
    markups, reply = client.infer("gu2net_head", image, {})
    found = read_markups(markups, dims=2)
    # an untrained model finds points anywhere, also in the margin of its input
    inside = np.clip(np.nan_to_num(found.points), 1.0, 8.0)
    corrected = LandmarkSet(found.names, inside + np.array([1.0, 0.0]), "mm")
    client.save_label(image, str(write_markups(folder / "corrected.mrk.json", corrected)), tag="final")
    on_disk = positions(folder / "app" / "images" / "labels" / "final" / f"{image}.mrk.json")
    after = client.next_sample("first", {})["id"]
    for label in folder.glob("truth_*.mrk.json"):
        uid = label.name.removeprefix("truth_").removesuffix(".mrk.json")
        if uid != image:
            client.save_label(uid, str(label), tag="final")
    client.train_start("gu2net_head", {"max_epochs": 1, "batches_per_epoch": 1, "validation": 0.4})
    wait_for("training", lambda: client.train_status()["status"] not in ("SUBMITTED", "RUNNING"))
    status = client.train_status()
    _, again = client.infer("gu2net_head", image, {})
    info = client.info()
    return {
        "total": total,
        "image": image,
        "unit": reply["unit"],
        "spacing source": reply["spacing_source"],
        "moved": float(np.nanmax(np.abs(np.array(on_disk)[:, :2] - inside - np.array([1.0, 0.0])))),
        "next is another": after != image,
        "training": status["status"],
        "details": list(status["details"]),
        "result": info["train_stats"]["gu2net_head"],
        "completed": info["datastore"]["completed"],
        "again": len(again["landmarks"]),
    }


if __name__ == "__main__":
    bring_loopback_up()
    root, trained = Path(sys.argv[1]), Path(sys.argv[2])
    archive, server = orthanc(root), None
    try:
        wait_for("Orthanc", lambda: answers(f"http://127.0.0.1:{_HTTP}/system"))
        for each in sorted(root.glob("*.dcm")):
            store(each)
        server = label_server(root, trained)
        wait_for("server", lambda: server.poll() is not None or answers(f"http://127.0.0.1:{_LABEL}/info/"))
        happened = annotate(root)
    finally:
        for process in (server, archive):
            if process is not None:
                process.terminate()
                process.wait(60)
    (root / "happened.json").write_text(json.dumps(happened))
