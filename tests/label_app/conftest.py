# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Servers of MONAI Label for tests, each in a process of its own on a free loopback port."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

# importlib's import mode has no place for modules that tests share: they import them by their bare names
for _name in ("chromium", "posed_volumes"):
    _spec = importlib.util.spec_from_file_location(_name, Path(__file__).with_name(f"{_name}.py"))
    assert _spec is not None
    assert _spec.loader is not None
    sys.modules[_name] = importlib.util.module_from_spec(_spec)
    _spec.loader.exec_module(sys.modules[_name])

STUB = Path(__file__).parent / "stub"
StartServer = Callable[..., AbstractContextManager["Server"]]


def _torchvision_fits() -> bool:
    """Whether the torchvision installed is of the kind of the PyTorch installed (CPU or CUDA)."""
    try:
        import torchvision.utils  # noqa: F401
    except (ImportError, RuntimeError):  # "operator torchvision::nms does not exist"
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        return False
    return True


EXTRA_PATH = [] if _torchvision_fits() else [str(STUB)]
sys.path[:0] = EXTRA_PATH


@dataclass
class Server:
    """A server that answers, and what it wrote.

    Attributes:
        url: without a slash at the end.
        log: file of its standard output and error, also of the processes that it starts.
        process: its process.
    """

    url: str
    log: Path
    process: subprocess.Popen[bytes]

    def request(
        self, method: str, path: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> bytes:
        """The body of the answer; an answer that is an error raises HTTPError, whose message has the server's."""
        asked = urllib.request.Request(f"{self.url}{path}", data=body, method=method, headers=dict(headers or {}))
        try:
            with urllib.request.urlopen(asked, timeout=120) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            said = error.read().decode(errors="replace")
            raise urllib.error.HTTPError(
                error.url, error.code, f"{error.reason}: {said}", error.headers, None
            ) from error

    def get_json(self, path: str) -> Any:
        return json.loads(self.request("GET", path))

    def post_json(self, path: str, content: Any = None) -> Any:
        body = None if content is None else json.dumps(content).encode()
        return json.loads(self.request("POST", path, body=body or b"", headers={"Content-Type": "application/json"}))

    def tail(self, size: int = 6000) -> str:
        """The end of the log."""
        return self.log.read_text(encoding="utf-8", errors="replace")[-size:]


_RUNNING: list[Server] = []


@pytest.fixture(scope="session")
def server_environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of servers and of the processes that they start: offline, one thread, nothing in the home."""
    return {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": os.pathsep.join([*EXTRA_PATH, os.environ.get("PYTHONPATH", "")]).strip(os.pathsep),
        "MONAI_LABEL_DATASTORE_FILE_EXT": '["*.png","*.dcm","*.nii.gz","*.mrk.json"]',
        "MONAI_LABEL_TRACKING_ENABLED": "false",
        "MONAI_LABEL_AUTO_UPDATE_SCORING": "false",
        "MONAI_LABEL_SESSION_PATH": str(tmp_path_factory.mktemp("sessions")),
    }


@pytest.fixture(scope="session")
def start_server(tmp_path_factory: pytest.TempPathFactory, server_environment: dict[str, str]) -> StartServer:
    """Starts a server: ``with start_server(["-m", "monailabel.main", "start_server", ...]) as server``.

    Its arguments are those of Python's command line; ``--host 127.0.0.1 --port N`` are added, or another ``host``.
    ``environment`` is laid over ``server_environment``, and ``ready`` is the path that answers once the server is up.
    """

    @contextmanager
    def start(
        arguments: Sequence[str | os.PathLike[str]],
        *,
        environment: Mapping[str, str] | None = None,
        ready: str = "/info/",
        seconds: float = 60,
        host: str = "127.0.0.1",
    ) -> Iterator[Server]:
        folder = tmp_path_factory.mktemp("server")
        port = _free_port()
        command = [sys.executable, *map(os.fspath, arguments), "--host", host, "--port", str(port)]
        log = folder / "server.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                command,
                cwd=folder,
                env={**server_environment, **(environment or {})},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        server = Server(f"http://127.0.0.1:{port}", log, process)
        _RUNNING.append(server)
        try:
            _wait(server, ready, seconds)
            yield server
        finally:
            _RUNNING.remove(server)
            _stop(process)

    return start


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the running servers wrote beside a test that failed."""
    report = yield
    if report.failed:
        report.sections.extend((f"log of {server.url}", server.tail()) for server in _RUNNING)
    return report


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End a server, and whatever it started that still runs."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=10)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(server: Server, path: str, seconds: float) -> None:
    """Return once the server answers; its log is the error where it does not."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if server.process.poll() is not None:
            raise RuntimeError(f"The server ended with {server.process.returncode}:\n{server.tail()}")
        try:
            server.request("GET", path)
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.2)
        else:
            return
    raise RuntimeError(f"The server gave no answer within {seconds} s:\n{server.tail()}")
