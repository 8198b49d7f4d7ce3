# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Make the picture of the annotation page, ``docs/results/label_page.png``, from the phantom.

    python docs/label_page.py bundles/gu2net/output/model.pt

It needs the extra "label" and Chromium. The model is that of `make demo`; the image is a phantom that it has not seen.
"""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import nibabel
import numpy as np
from PIL import Image

from monai_gu2net.phantom import phantom_case

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "label_app"))
from chromium import Chromium  # noqa: E402 - of the tests

SEED = 1  # not that of the training
GREY_WITHIN, GREY_STEP = 3, 8


def main(model: Path) -> None:
    """Serve some phantom heads, correct a point in the browser, and take the picture."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        studies, profile = folder / "studies", folder / "profile"
        studies.mkdir()
        profile.mkdir()
        for index in range(4):
            pixels, _, spacing = phantom_case("head", seed=SEED, index=index)
            image = nibabel.Nifti1Image(pixels[0].astype(np.float32), np.diag([*spacing, 1, 1]))
            nibabel.save(image, studies / f"head_{index + 1:03d}.nii.gz")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        command = [sys.executable, "-m", "monai_gu2net", "label", "--studies", str(studies), "-m", str(model)]
        server = subprocess.Popen([*command, "--port", str(port)], env=os.environ | {"OMP_NUM_THREADS": "1"})
        try:
            wait_for(f"http://127.0.0.1:{port}/info/")
            with Chromium(profile) as browser:
                browser.open(f"http://127.0.0.1:{port}/gu2net/?image=head_002")
                browser.wait("document.querySelector('#state').textContent === 'Not submitted'")
                browser.choose("#order", "uncertainty")
                time.sleep(1)
                moved = browser.js("document.querySelector('#points tr:nth-child(2)').dataset.index")
                browser.drag(browser.center(f"g.point[data-index='{moved}'] .hold"), (9, -7))
                browser.click("#points tr:nth-child(5) button")
                time.sleep(0.5)
                shown = browser.screenshot()
        finally:
            server.terminate()
            server.wait()
    with Image.open(io.BytesIO(shown)) as picture:
        # the picture's noise is most of its size: greys in steps, all other colours as they are
        pixels = np.asarray(picture.convert("RGB")).astype(int)
        is_grey = np.ptp(pixels, axis=2, keepdims=True) < GREY_WITHIN
        steps = np.where(is_grey, pixels // GREY_STEP * GREY_STEP, pixels).astype(np.uint8)
        Image.fromarray(steps).save(ROOT / "docs" / "results" / "label_page.png", optimize=True)


def wait_for(url: str) -> None:
    """Return once a server answers."""
    for _ in range(300):
        try:
            urllib.request.urlopen(url, timeout=30).close()
            return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.2)
    raise RuntimeError(f"{url} must answer; it does not.")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
