# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""A headless Chromium, driven by its DevTools protocol over two pipes: no package is needed.

Source: https://chromedevtools.github.io/devtools-protocol/, and ``--remote-debugging-pipe`` of Chromium: messages are
JSON, each ended by a zero byte; the browser reads descriptor 3 and writes descriptor 4.
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_OPTIONS = (
    "--headless",
    "--no-sandbox",  # tests run as root
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--hide-scrollbars",
    "--force-device-scale-factor=1",
    "--remote-debugging-pipe",
)
SOFTWARE_3D = ("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist")
"""Further options for pages that draw with WebGL."""
_KEYS = {
    "Delete": 46,
    "Tab": 9,
    "Escape": 27,
    "ArrowLeft": 37,
    "ArrowUp": 38,
    "ArrowRight": 39,
    "ArrowDown": 40,
    "PageUp": 33,
    "PageDown": 34,
}
_BUTTONS = {"left": 1, "right": 2}
_SHIFT = 8


class Chromium:
    """One page of a browser of its own; use it as a context manager.

    Args:
        profile: an empty folder.
        size: of the window in pixels.
        options: of the program, besides those that all pages need.
    """

    def __init__(self, profile: Path, *, size: tuple[int, int] = (1280, 800), options: Sequence[str] = ()) -> None:
        assert PROGRAM is not None
        to_browser, self._write = os.pipe()
        self._read, from_browser = os.pipe()
        own = (f"--user-data-dir={profile}", "--window-size={},{}".format(*size), *options)
        command = [PROGRAM, *_OPTIONS, *own, "about:blank"]
        with (profile / "chromium.log").open("wb") as log:
            self._process = subprocess.Popen(
                ["bash", "-c", f'exec "$@" 3<&{to_browser} 4>&{from_browser}', "bash", *command],
                pass_fds=(to_browser, from_browser),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        os.close(to_browser)
        os.close(from_browser)
        self._number, self._waiting = 0, b""
        self.events: list[dict[str, Any]] = []
        self._session: str | None = None
        [target] = [each for each in self.ask("Target.getTargets")["targetInfos"] if each["type"] == "page"]
        self._session = self.ask("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.ask(f"{domain}.enable")
        width, height = size  # of the page, whatever the window has around it
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def __enter__(self) -> Chromium:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._write)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        os.close(self._read)

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The result of a command of the protocol."""
        number = self.send(method, **parameters)
        while True:
            message = self._receive(30)
            if message is None:
                raise TimeoutError(f"Chromium gave no answer to {method}.")
            if message.get("id") != number:
                self.events.append(message)
            elif "error" in message:
                raise RuntimeError(f"{method}: {message['error']}")
            else:
                return dict(message["result"])

    def send(self, method: str, **parameters: Any) -> int:
        """Give a command and do not wait for its result."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        content = json.dumps(message).encode() + b"\0"
        while content:
            content = content[os.write(self._write, content) :]
        return self._number

    def _receive(self, seconds: float) -> dict[str, Any] | None:
        end = time.monotonic() + seconds
        while b"\0" not in self._waiting:
            if not select.select([self._read], [], [], max(0.0, end - time.monotonic()))[0]:
                return None
            got = os.read(self._read, 1 << 20)
            if not got:
                raise RuntimeError("Chromium has ended.")
            self._waiting += got
        message, _, self._waiting = self._waiting.partition(b"\0")
        return dict(json.loads(message))

    def wait_event(self, method: str, *, seconds: float = 10) -> dict[str, Any]:
        """The parameters of the next event of a kind, also of one that came before."""
        end = time.monotonic() + seconds
        while True:
            for event in self.events:
                if event.get("method") == method:
                    self.events.remove(event)
                    return dict(event["params"])
            message = self._receive(max(0.0, end - time.monotonic()))
            if message is None:
                raise TimeoutError(f"Chromium did not say {method} within {seconds} s.")
            self.events.append(message)

    def errors(self) -> list[str]:
        """What went wrong in the page's scripts and loads, since it was opened."""
        self.js("0")  # what was said until now has come
        exceptions = [event["params"] for event in self.events if event.get("method") == "Runtime.exceptionThrown"]
        logged = [event["params"]["entry"] for event in self.events if event.get("method") == "Log.entryAdded"]
        return [json.dumps(exception) for exception in exceptions] + [
            f"{entry['text']} {entry.get('url', '')}" for entry in logged if entry["level"] == "error"
        ]

    def requested(self) -> list[str]:
        """Addresses of everything that was asked for."""
        self.js("0")
        return [e["params"]["request"]["url"] for e in self.events if e.get("method") == "Network.requestWillBeSent"]

    def open(self, url: str) -> None:
        """Go to an address, and wait until its page is loaded."""
        self.ask("Page.navigate", url=url)
        self.wait_event("Page.loadEventFired", seconds=30)

    def js(self, expression: str) -> Any:
        """The value of an expression in the page."""
        answer = self.ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def wait(self, expression: str, *, seconds: float = 10) -> Any:
        """The value of an expression as soon as it is true."""
        end = time.monotonic() + seconds
        while not (value := self.js(expression)):
            if time.monotonic() > end:
                said = self.js("document.body.innerText")
                raise TimeoutError(
                    f"{expression} was not true within {seconds} s; {self.errors()}; the page says:\n{said}"
                )
            time.sleep(0.02)
        return value

    def center(self, selector: str) -> tuple[float, float]:
        """The middle of an element on the screen."""
        x, y = self.js(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            " e.scrollIntoView({block: 'nearest'}); const b = e.getBoundingClientRect();"
            " return [b.x + b.width / 2, b.y + b.height / 2]; })()"
        )
        return x, y

    def mouse(self, kind: str, x: float, y: float, *, button: str = "none", held: int = 0, **more: Any) -> None:
        self.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button=button, buttons=held, **more)

    def click(self, place: str | tuple[float, float]) -> None:
        """Click an element by its selector, or a place."""
        x, y = self.center(place) if isinstance(place, str) else place
        self.mouse("mouseMoved", x, y)
        self.mouse("mousePressed", x, y, button="left", held=1, clickCount=1)
        self.mouse("mouseReleased", x, y, button="left", clickCount=1)

    def drag(self, start: tuple[float, float], by: Sequence[float], *, button: str = "left", steps: int = 4) -> None:
        """Press at a place, move, release."""
        x, y = start
        held = _BUTTONS[button]
        self.mouse("mouseMoved", x, y)
        self.mouse("mousePressed", x, y, button=button, held=held, clickCount=1)
        for step in range(1, steps + 1):
            self.mouse("mouseMoved", x + by[0] * step / steps, y + by[1] * step / steps, button=button, held=held)
        self.mouse("mouseReleased", x + by[0], y + by[1], button=button, clickCount=1)

    def wheel(self, place: tuple[float, float], delta: float) -> None:
        self.mouse("mouseWheel", *place, deltaX=0, deltaY=delta)

    def key(self, name: str, *, shift: bool = False) -> None:
        """Press and release a key: a letter or sign, or a name such as "ArrowLeft"."""
        code = _KEYS.get(name) or ord(name.upper())
        modifiers = _SHIFT if shift else 0
        text = {"text": name} if len(name) == 1 else {}
        self.ask(
            "Input.dispatchKeyEvent", type="keyDown", key=name, windowsVirtualKeyCode=code, modifiers=modifiers, **text
        )
        self.ask("Input.dispatchKeyEvent", type="keyUp", key=name, windowsVirtualKeyCode=code, modifiers=modifiers)

    def choose(self, selector: str, value: str) -> None:
        """Choose an option of a select."""
        self.js(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)}); e.value = {json.dumps(value)};"
            " e.dispatchEvent(new Event('change', {bubbles: true})); })()"
        )

    def screenshot(self) -> bytes:
        """The page as PNG."""
        return base64.b64decode(self.ask("Page.captureScreenshot", format="png")["data"])
