# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""An annotator, the app and Orthanc; what happened is printed as JSON.

Arguments: a folder with the images to store, ``*.dcm``, and labels for them, ``*.mrk.json``, which also takes all that
is written; a model with the domain "head".
"""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from archive import DICOM_WEB, PASSWORD, answers, archive, asked, wait_for

from monai_gu2net.landmarks import LandmarkSet
from monai_gu2net.landmarks.formats import read_markups, write_markups

warnings.filterwarnings("ignore", "'cgi' is deprecated", DeprecationWarning)

_LABEL = 8000


def label_server(folder: Path, model: Path) -> subprocess.Popen[bytes]:
    (folder / "secret").write_text(PASSWORD)
    arguments = ["--studies", DICOM_WEB, "-m", str(model), "--domain", "head", "--app-dir", str(folder / "app")]
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
    markups, response = client.infer("gu2net_head", image, {})
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
        "unit": response["unit"],
        "spacing source": response["spacing_source"],
        "moved": float(np.nanmax(np.abs(np.array(on_disk)[:, :2] - inside - np.array([1.0, 0.0])))),
        "next is another": after != image,
        "training": status["status"],
        "details": list(status["details"]),
        "result": info["train_stats"]["gu2net_head"],
        "completed": info["datastore"]["completed"],
        "again": len(again["landmarks"]),
    }


if __name__ == "__main__":
    root, trained = Path(sys.argv[1]), Path(sys.argv[2])
    with archive(root, DicomServerEnabled=False):
        for each in sorted(root.glob("*.dcm")):
            asked("instances", each.read_bytes())
        server = label_server(root, trained)
        try:
            wait_for("server", lambda: server.poll() is not None or answers(f"http://127.0.0.1:{_LABEL}/info/"))
            happened = annotate(root)
        finally:
            server.terminate()
            server.wait(60)
    (root / "happened.json").write_text(json.dumps(happened))
