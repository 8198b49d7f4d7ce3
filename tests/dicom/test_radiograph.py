# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from dicom_files import make_dicom, picture
from pydicom import uid

from monai_gu2net.dicom import DicomError, Limits, Radiograph, isolated, read_radiograph

WHEEL_FILES = sorted(
    path for path in (Path(pydicom.__file__).parent / "data" / "test_files").rglob("*") if path.is_file()
)
CORPUS = sorted((Path(__file__).parent / "corpus").glob("*.dcm"))


@pytest.fixture
def good(tmp_path: Path) -> Path:
    return make_dicom(tmp_path / "good.dcm", picture(), ImagerPixelSpacing=[0.1, 0.1])


@pytest.fixture
def own_worker() -> Iterator[None]:
    """A test may end, change or limit the child: others get another one."""
    isolated.end_worker()
    yield
    isolated.end_worker()


def read_or_refuse(path: Path) -> Radiograph | None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*: .*Spacing must be", category=UserWarning)
        try:
            return read_radiograph(path)
        except DicomError as error:
            if not str(error).startswith(path.name):
                raise
            return None


def test_a_real_radiograph_is_read_with_its_spacing_and_source() -> None:
    path = next(path for path in WHEEL_FILES if path.match("77654033/CR1/6154"))
    found, image = read_radiograph(path), pydicom.dcmread(path)
    assert image.PhotometricInterpretation == "MONOCHROME1"
    inverse = (2**image.BitsStored - 1 - image.pixel_array.T).astype(np.float64)
    expected = inverse * float(image.RescaleSlope) + float(image.RescaleIntercept)
    np.testing.assert_array_equal(found.pixels, expected.astype(np.float32))
    assert (found.spacing, found.spacing_source) == ((0.1, 0.1), "detector")


@pytest.mark.parametrize("value", [b"0\\0", b"nan\\nan", b"abc", b"0.1"])
def test_an_invalid_spacing_gives_pixels_without_and_one_warning_that_names_the_file(
    tmp_path: Path, value: bytes
) -> None:
    path = make_dicom(tmp_path / "a.dcm", picture(), PixelSpacing=value)
    with pytest.warns(UserWarning, match=r"^a\.dcm: PixelSpacing must be two positive numbers; it has no") as warned:
        found = read_radiograph(path)
    assert len(warned) == 1
    assert (found.spacing, found.spacing_source) == (None, "none")


def test_every_file_in_pydicoms_wheel_is_read_or_refused() -> None:
    found = [read_or_refuse(path) for path in WHEEL_FILES]
    assert sum(radiograph is not None for radiograph in found) >= 40


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_a_file_that_fuzzing_found_is_read_or_refused(path: Path, good: Path) -> None:
    read_or_refuse(path)
    np.testing.assert_array_equal(read_radiograph(good).pixels, picture().T)


def test_a_jpeg_ls_stream_that_claims_too_much_is_refused(tmp_path: Path, good: Path) -> None:
    stream = b"\xff\xd8\xff\xf7\x00\x0b\x0c\xea\x60\xea\x60\x01\x01\x11\x00\xff\xda\x00\x08\x01\x01\x00\x00\x00\x00"
    path = make_dicom(tmp_path / "a.dcm", picture(), transfer_syntax=uid.JPEGLSLossless, codestream=stream * 20)
    with pytest.raises(DicomError, match=r"^a\.dcm: its codestream must be .* 36 x 44; got 60000 x 60000"):
        read_radiograph(path)
    big = make_dicom(
        tmp_path / "b.dcm",
        picture(),
        transfer_syntax=uid.JPEGLSLossless,
        codestream=stream * 20,
        Rows=60000,
        Columns=60000,
    )
    with pytest.raises(DicomError, match=r"^b\.dcm: "):
        read_radiograph(big, limits=Limits(pixels=2**33, memory_bytes=2**28))
    np.testing.assert_array_equal(read_radiograph(good).pixels, picture().T)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is limited on Linux alone")
@pytest.mark.usefixtures("own_worker")
def test_a_file_that_needs_too_much_memory_is_refused(tmp_path: Path, good: Path) -> None:
    path = make_dicom(tmp_path / "a.dcm", np.zeros((1500, 1500), int))
    with pytest.raises(DicomError, match=r"^a\.dcm: decoding must need at most 4000000 bytes of memory"):
        read_radiograph(path, limits=Limits(memory_bytes=4_000_000))
    assert read_radiograph(path).pixels.shape == (1500, 1500)
    np.testing.assert_array_equal(read_radiograph(good).pixels, picture().T)


LATE = r"decoding must take at most 0\.3 s; it took longer"
ENDED = "decoding must not end the process it runs in; it did"


@pytest.mark.usefixtures("own_worker")
def test_a_child_that_hangs_or_dies_is_one_failed_file_each_time(good: Path, monkeypatch: Any) -> None:
    for script, reason in [
        ("import time; time.sleep(60)", LATE),
        ("input(); import os; os.abort()", ENDED),
        ("input(); import ctypes; ctypes.string_at(0)", ENDED),
        ("input(); print('{', flush=True); input()", ENDED),
        ("input(); print('{\"shape\": [1000000, 1000000]}', flush=True); input()", ENDED),
        ("input(); print('{\"shape\": [9, 9]}')", ENDED),
    ]:
        with monkeypatch.context() as changed:
            changed.setattr(isolated, "_COMMAND", (sys.executable, "-c", f"print('ready', flush=True); {script}"))
            with pytest.raises(DicomError, match=rf"^good\.dcm: {reason}"):
                read_radiograph(good, limits=Limits(seconds=0.3 if reason == LATE else 20))
    np.testing.assert_array_equal(read_radiograph(good).pixels, picture().T)


@pytest.mark.usefixtures("own_worker")
def test_a_child_that_cannot_start_is_no_fault_of_the_file(good: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(isolated, "_COMMAND", (sys.executable, "-c", "raise SystemExit(1)"))
    with pytest.raises(RuntimeError, match=r"^The child process that decodes must start; it did not\. See why: python"):
        read_radiograph(good)


def test_good_files_among_bad_ones_read_as_they_do_alone(tmp_path: Path, rng: np.random.Generator) -> None:
    images = rng.integers(0, 4096, (4, 36, 44))
    paths = [
        make_dicom(tmp_path / f"{n}.dcm", image, transfer_syntax=uid.RLELossless) for n, image in enumerate(images)
    ]
    data = paths[0].read_bytes()
    for n in range(8):
        broken = bytearray(data)
        if n % 2:
            del broken[len(data) * (n + 1) // 9 :]
        else:
            broken[900 + n : 1100] = rng.bytes(200 - n)
        (tmp_path / f"bad{n}.dcm").write_bytes(bytes(broken))
    alone = [read_radiograph(path).pixels for path in paths]
    for n, path in enumerate(paths):
        read_or_refuse(tmp_path / f"bad{2 * n}.dcm")
        np.testing.assert_array_equal(read_radiograph(path).pixels, alone[n])
        read_or_refuse(tmp_path / f"bad{2 * n + 1}.dcm")
        np.testing.assert_array_equal(alone[n], images[n].T)


def test_a_missing_file_is_said_to_be_missing_without_its_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"^a\.dcm must be a file; it is not there"):
        read_radiograph(tmp_path / "a.dcm")


def test_a_path_may_be_relative_and_of_any_letters(tmp_path: Path, monkeypatch: Any) -> None:
    make_dicom(tmp_path / "a.dcm", picture()).rename(tmp_path / "röntgen bild\udcff.dcm")
    monkeypatch.chdir(tmp_path)
    np.testing.assert_array_equal(read_radiograph("röntgen bild\udcff.dcm").pixels, picture().T)


def test_threads_may_read_at_once(tmp_path: Path, rng: np.random.Generator) -> None:
    images = rng.integers(0, 4096, (6, 30, 40))
    paths = [make_dicom(tmp_path / f"{n}.dcm", image) for n, image in enumerate(images)]
    found: dict[int, np.ndarray] = {}
    threads = [
        threading.Thread(target=lambda n=n: found.update({n: read_radiograph(paths[n]).pixels})) for n in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for n, image in enumerate(images):
        np.testing.assert_array_equal(found[n], image.T)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes do not fork")
def test_a_forked_process_has_a_child_of_its_own_and_none_is_left(good: Path) -> None:
    script = f"""
import os
from monai_gu2net.dicom import isolated, read_radiograph
read_radiograph({str(good)!r})
first = isolated._owner.worker.process.pid
forked = os.fork()
read_radiograph({str(good)!r})
second = isolated._owner.worker.process.pid
assert (first == second) == (forked != 0)
if forked:
    assert os.waitpid(forked, 0)[1] == 0
print(second)
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    pids = [int(line) for line in done.stdout.split()]
    assert len(set(pids)) == 2
    assert done.stderr == ""
    for pid in pids:
        with pytest.raises(ProcessLookupError, match="No such process"):
            os.kill(pid, 0)


def test_a_child_leaves_when_its_parent_is_killed(good: Path) -> None:
    script = f"""
import os, signal
from monai_gu2net.dicom import isolated, read_radiograph
read_radiograph({str(good)!r})
print(isolated._owner.worker.process.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    pid = int(done.stdout)
    for _ in range(100):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            break
        if state == "Z":  # gone, and waiting for whoever adopted it
            break
        threading.Event().wait(0.05)
    else:
        pytest.fail("the child is still there")


def test_reading_needs_neither_torch_nor_monai() -> None:
    script = "import sys, monai_gu2net.dicom; print(sorted({'torch', 'monai', 'highdicom'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
