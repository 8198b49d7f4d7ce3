# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Orthanc in a network of its own, for the tests that need a PACS and for the scripts that they run there.

A network of its own (``unshare --net``), because Orthanc listens at every address whatever its settings say.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HTTP, PASSWORD = 8042, "anna:secret"
DICOM_WEB = f"http://127.0.0.1:{HTTP}/dicom-web"
_PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
_NETWORKS = (["unshare", "--net"], ["unshare", "--map-root-user", "--net"])
_TESTS = Path(__file__).parents[1]


def require_archive(*programs: str) -> None:
    """Skip a test where Orthanc, its DICOMweb plugin, a program or the right to make a network is missing; fail in CI.

    Args:
        programs: besides Orthanc; of names with a bar between them any one will do.
    """
    needed = ["Orthanc", "unshare", *programs]
    lacking = [each for each in needed if not any(map(shutil.which, each.split("|")))]
    lacking += [] if _PLUGIN.exists() else ["orthanc-dicomweb"]
    if lacking:
        missing_without(f"programs of Debian; lacks {lacking}")
    if _own_network() is None:
        missing_without("the right to make a network of its own (unshare --net)")


def missing_without(what: str) -> None:
    """Skip a test that needs something; fail where CI says that it must be there."""
    import pytest

    (pytest.fail if os.environ.get("CI") else pytest.skip)(f"This needs {what}.")


def _own_network() -> list[str] | None:
    """The command that runs another one in a network of its own."""
    tried = (each for each in _NETWORKS if subprocess.run([*each, "true"], capture_output=True).returncode == 0)
    return next(tried, None)


def run_beside_archive(script: Path, *arguments: Path, environment: Mapping[str, str] = os.environ) -> None:
    """Run a script in a network of its own, with the modules that tests share on its path; it must end well.

    Args:
        script: which.
        arguments: of it.
        environment: of its process.
    """
    network = _own_network()
    assert network is not None
    paths = [str(_TESTS / "integration"), str(_TESTS / "label_app"), environment.get("PYTHONPATH", "")]
    done = subprocess.run(
        [*network, sys.executable, str(script), *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**environment, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        timeout=280,
    )
    logs = [log for folder in arguments if folder.is_dir() for log in sorted(folder.glob("*.log"))]
    said = [done.stdout, done.stderr[-6000:], *(log.read_text(errors="replace")[-3000:] for log in logs)]
    assert done.returncode == 0, "\n".join(said)


def wait_for(what: str, condition: Callable[[], bool], seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(what)
        time.sleep(0.1)


def answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=10).close()
    except urllib.error.HTTPError:
        return True  # it asks for a password
    except OSError:
        return False
    return True


@contextmanager
def archive(folder: Path, **settings: Any) -> Iterator[None]:
    """Orthanc with its DICOMweb plugin and a password, as long as the context lasts; brings the loopback up.

    Args:
        folder: that its files and its log go to.
        settings: further ones of Orthanc.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:  # what ``ip link set lo up`` does
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh14x", b"lo", 0x1 | 0x40))  # SIOCSIFFLAGS, up and running
    settings = {
        "StorageDirectory": str(folder / "orthanc"),
        "IndexDirectory": str(folder / "orthanc"),
        "HttpPort": HTTP,
        "AuthenticationEnabled": True,
        "RegisteredUsers": dict([PASSWORD.split(":")]),
        "Plugins": [str(_PLUGIN)],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
        **settings,
    }
    (folder / "orthanc.json").write_text(json.dumps(settings))
    with (folder / "orthanc.log").open("wb") as log:
        process = subprocess.Popen(["Orthanc", str(folder / "orthanc.json")], stdout=log, stderr=log)
    try:
        wait_for("Orthanc", lambda: answers(f"http://127.0.0.1:{HTTP}/system"))
        yield
    finally:
        process.terminate()
        process.wait(60)


def asked(path: str, data: bytes | None = None) -> bytes:
    """What the archive answers over its own interface."""
    manager = urllib.request.HTTPPasswordMgrWithDefaultRealm()
    manager.add_password(None, f"http://127.0.0.1:{HTTP}", *PASSWORD.split(":"))
    opener = urllib.request.build_opener(urllib.request.HTTPBasicAuthHandler(manager))
    with opener.open(f"http://127.0.0.1:{HTTP}/{path}", data=data, timeout=60) as answer:
        return bytes(answer.read())
