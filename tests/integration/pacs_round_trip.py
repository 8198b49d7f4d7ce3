# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Orthanc, dcmtk and this package talk to each other; what happened is printed as JSON.

It runs in a network of its own (``unshare --net``), for Orthanc listens at every address whatever its settings say.
Arguments: a folder with the images ``a.dcm``, ``b.dcm`` and ``sent.dcm``, which also takes all that is written; a model
with the domain "hand".
"""

from __future__ import annotations

import fcntl
import json
import socket
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydicom

from monai_gu2net.connections import DicomWebServer, RadiographAnswers, RemoteInstance, spool_name

_HTTP, _DICOM, _LISTENER = 8042, 4242, 11112
_URL = f"http://127.0.0.1:{_HTTP}/dicom-web"
_FORMATS, _ANSWERS = ["sr", "gsps", "sc"], ["SR", "PR", "OT"]
_PLUGIN = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so"


def bring_loopback_up() -> None:
    """What ``ip link set lo up`` does."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh14x", b"lo", 0x1 | 0x40))  # SIOCSIFFLAGS, up and running


def wait_for(what: str, condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(what)
        time.sleep(0.1)


def is_up() -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{_HTTP}/system", timeout=5).close()
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
        "DicomPort": _DICOM,
        "DicomAet": "ORTHANC",
        "DicomCheckCalledAet": True,
        "AuthenticationEnabled": True,
        "RegisteredUsers": {"anna": "secret"},
        "Plugins": [_PLUGIN],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }
    (folder / "orthanc.json").write_text(json.dumps(settings))
    with (folder / "orthanc.log").open("wb") as log:
        return subprocess.Popen(["Orthanc", str(folder / "orthanc.json")], stdout=log, stderr=log)


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
    secret.write_text("anna:secret\n")
    arguments = ["dicomweb", _URL, "-m", str(model), "--domain", "hand", "--store", "--password-file", str(secret)]
    arguments += ["--formats", *_FORMATS]
    first = subprocess.run(command(*arguments, "-o", str(out)), check=False).returncode
    written = {path.name: pydicom.dcmread(path) for path in out.glob("*.dcm")}
    there = {each.sop_uid: each for each in server.find(modalities=_ANSWERS)}
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
        "answers at the server": [len(there), len(server.find(modalities=_ANSWERS))],
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
    there = {each.sop_uid: each for each in server.find(modalities=_ANSWERS, study_uid=header.StudyInstanceUID)}
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
    bring_loopback_up()
    root, trained = Path(sys.argv[1]), Path(sys.argv[2])
    archive = orthanc(root)
    try:
        wait_for("Orthanc", is_up)
        client = DicomWebServer(_URL, password="anna:secret")
        happened = {"dicomweb": over_dicomweb(root, trained, client), "c_store": over_c_store(root, trained, client)}
    finally:
        archive.terminate()
        archive.wait(60)
    (root / "happened.json").write_text(json.dumps(happened))
