# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Make the pictures of the annotation page, ``label_page.png`` and ``label_volume_page.png`` of ``docs/results``.

    python docs/label_page.py bundles/gu2net/output/model.pt

It needs the extra "label" and Chromium. The model is that of `make demo`; the radiograph is a phantom that it has not
seen. The volume has a label, so that any network of its landmarks will do.
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
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
from PIL import Image

from monai_gu2net.label_app import label_frame, write_label
from monai_gu2net.landmarks import LandmarkSet
from monai_gu2net.networks import GU2Net, ModelCard, save_model
from monai_gu2net.phantom import phantom_case, phantom_volume
from monai_gu2net.phantom.phantom_case import EXAMINATIONS

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "label_app"))
from chromium import SOFTWARE_3D, Chromium  # noqa: E402 - of the tests

SEED = 1  # not that of the training
GREY_WITHIN, GREY_STEP = 3, 8


def main(model: Path) -> None:
    """Serve some phantoms, correct a point in the browser, and take the pictures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "heads").mkdir()
        for index in range(4):
            pixels, _, spacing = phantom_case("head", seed=SEED, index=index)
            image = nibabel.Nifti1Image(pixels[0].astype(np.float32), np.diag([*spacing, 1, 1]))
            nibabel.save(image, folder / "heads" / f"head_{index + 1:03d}.nii.gz")
        take_picture(folder / "heads", model, "head_002", correct_head, "label_page.png")
        take_picture(*scan_with_label(folder / "scans"), "head", look_at_scan, "label_volume_page.png")


def correct_head(browser: Chromium) -> None:
    """Move a point and choose another."""
    browser.wait("document.querySelector('#state').textContent === 'Not submitted'")
    browser.choose("#order", "uncertainty")
    time.sleep(1)
    moved = browser.js("document.querySelector('#points tr:nth-child(2)').dataset.index")
    browser.drag(browser.center(f"g.point[data-index='{moved}'] .hold"), (9, -7))
    browser.click("#points tr:nth-child(5) button")


def scan_with_label(studies: Path) -> tuple[Path, Path]:
    """The folder with a volume of the phantom and its label, and a network that has learned nothing."""
    domain = EXAMINATIONS["head_ct"].domain
    voxels, points, affine = phantom_volume("head_ct", seed=SEED, index=0)
    (studies / "labels" / "final").mkdir(parents=True)
    nibabel.save(nibabel.Nifti1Image(voxels[0], affine), studies / "head.nii.gz")
    label = LandmarkSet(domain.landmarks, points, "index")
    write_label(studies / "labels" / "final" / "head.mrk.json", label, label_frame(studies / "head.nii.gz"))
    network = GU2Net(3, 1, {domain.name: len(domain.landmarks)}, features=(2, 4), global_features=2, dilations=(1,))
    card = ModelCard({domain.name: domain}, network.description)
    return studies, save_model(studies.with_name("scans.pt"), network, card)


def look_at_scan(browser: Chromium) -> None:
    """Choose a point."""
    browser.wait("document.querySelector('#state').textContent === 'Saved'", seconds=60)
    browser.click("#points tr:nth-child(1) button")


def take_picture(studies: Path, model: Path, image: str, prepare: Callable[[Chromium], None], name: str) -> None:
    """Serve a folder, open an image in the browser, do something, and keep what is seen."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "monai_gu2net", "label", "--studies", str(studies), "-m", str(model)]
    server = subprocess.Popen([*command, "--port", str(port)], env=os.environ | {"OMP_NUM_THREADS": "1"})
    try:
        wait_for(f"http://127.0.0.1:{port}/info/")
        with tempfile.TemporaryDirectory() as profile, Chromium(Path(profile), options=SOFTWARE_3D) as browser:
            browser.open(f"http://127.0.0.1:{port}/gu2net/?image={image}")
            prepare(browser)
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
        Image.fromarray(steps).save(ROOT / "docs" / "results" / name, optimize=True)


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
