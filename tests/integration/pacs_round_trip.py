# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Orthanc, dcmtk and this package talk to each other; what happened is printed as JSON.

Arguments: a folder with the images ``a.dcm``, ``b.dcm`` and ``sent.dcm``, which also takes all that is written; a model
with the domain "hand".
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pydicom
from archive import DICOM_WEB, PASSWORD, archive, wait_for

from monai_gu2net.connections import DicomWebServer, RadiographAnswers, RemoteInstance, spool_name

_DICOM, _LISTENER = 4242, 11112
_FORMATS, _ANSWERS = ["sr", "gsps", "sc"], {"Modality": "SR,PR,OT"}


def storescu(image: Path, port: int, *, calling: str, called: str) -> int:
    command = ["storescu", "-aet", calling, "-aec", called, "127.0.0.1", str(port), str(image)]
    return subprocess.run(command, capture_output=True, check=False).returncode


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "monai_gu2net", *arguments]


def outcomes(table: Path) -> list[str]:
    return sorted(line.split(",")[3] for line in table.read_text().splitlines()[1:])


def undated(dataset: pydicom.Dataset) -> pydicom.Dataset:
    for keyword in ("InstanceCreationDate", "InstanceCreationTime", "ContentDate", "ContentTime"):
        if keyword in dataset:
            delattr(dataset, keyword)
    for keyword in ("PresentationCreationDate", "PresentationCreationTime"):
        if keyword in dataset:
            delattr(dataset, keyword)
    return dataset


def retrieved(server: DicomWebServer, instance: RemoteInstance, folder: Path) -> pydicom.Dataset:
    path = folder / "retrieved.dcm"
    server.retrieve(instance, path)
    return pydicom.dcmread(path)


def over_dicomweb(folder: Path, model: Path, server: DicomWebServer) -> dict[str, Any]:
    for name in ("a", "b"):
        assert storescu(folder / f"{name}.dcm", _DICOM, calling="STORESCU", called="ORTHANC") == 0
    out, secret = folder / "out", folder / "secret"
    secret.write_text(f"{PASSWORD}\n")
    arguments = ["dicomweb", DICOM_WEB, "-m", str(model), "--domain", "hand", "--store", "--password-file", str(secret)]
    arguments += ["--formats", *_FORMATS]
    first = subprocess.run(command(*arguments, "-o", str(out)), check=False).returncode
    written = {path.name: pydicom.dcmread(path) for path in out.glob("*.dcm")}
    there = {each.sop_uid: each for each in server.find(filters=_ANSWERS)}
    equal = [retrieved(server, there[each.SOPInstanceUID], folder) == each for each in written.values()]
    second = subprocess.run(command(*arguments, "-o", str(folder / "again")), check=False).returncode
    narrowed = subprocess.run(
        command(*arguments, "-o", str(folder / "narrowed"), "--filter", "BodyPartExamined=SKULL"), check=False
    ).returncode
    return {
        "first": [first, outcomes(out / "instances.csv")],
        "written": sorted(each.Modality for each in written.values()),
        "equal": equal,
        "second": [second, outcomes(folder / "again" / "instances.csv")],
        "narrowed": [narrowed, outcomes(folder / "narrowed" / "instances.csv")],
        "answers at the server": [len(there), len(server.find(filters=_ANSWERS))],
    }


def over_c_store(folder: Path, model: Path, server: DicomWebServer) -> dict[str, Any]:
    image = folder / "sent.dcm"
    header = pydicom.dcmread(image)
    arguments = ["listen", "-m", str(model), "--domain", "hand", "--allow", "STORESCU", "--port", str(_LISTENER)]
    arguments += ["--spool", str(folder / "spool"), "--answer", f"ORTHANC@127.0.0.1:{_DICOM}", "--formats", *_FORMATS]
    log = folder / "listener.log"
    with log.open("wb") as file:
        listener = subprocess.Popen(command(*arguments), stdout=file, stderr=file)
    try:
        wait_for("listener", lambda: b"listens at" in log.read_bytes())
        stranger = storescu(image, _LISTENER, calling="STRANGER", called="GU2NET")
        sent = storescu(image, _LISTENER, calling="STORESCU", called="GU2NET")
        wait_for("answer", lambda: b"delivered" in log.read_bytes())
    finally:
        listener.terminate()
        code = listener.wait(60)
    answers, expected = RadiographAnswers(model, domain="hand", formats=_FORMATS), folder / "expected"
    expected.mkdir()
    named = folder / f"{spool_name(header.SOPInstanceUID)}.dcm"
    named.write_bytes(image.read_bytes())
    answers(named, expected)
    there = {each.sop_uid: each for each in server.find(filters=_ANSWERS, study_uid=header.StudyInstanceUID)}
    return {
        "stranger": stranger,
        "sent": sent,
        "ended": code,
        "answers at the server": sorted(there) == sorted(answers.uids(header.SOPInstanceUID, "hand").values()),
        "equal": [
            undated(retrieved(server, there[each.SOPInstanceUID], folder)) == undated(each)
            for each in map(pydicom.dcmread, expected.iterdir())
        ],
        "left in the spool": [path.name for path in (folder / "spool").rglob("*.dcm")],
        "identity in the log": any(text in log.read_text() for text in ("Plant", "PLANT", header.StudyInstanceUID)),
    }


if __name__ == "__main__":
    root, trained = Path(sys.argv[1]), Path(sys.argv[2])
    with archive(root, DicomPort=_DICOM, DicomAet="ORTHANC", DicomCheckCalledAet=True):
        client = DicomWebServer(DICOM_WEB, password=PASSWORD)
        happened = {"dicomweb": over_dicomweb(root, trained, client), "c_store": over_c_store(root, trained, client)}
    (root / "happened.json").write_text(json.dumps(happened))
