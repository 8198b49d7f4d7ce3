# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Reading, the network and writing at the same time, with the results of one after the other."""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from monai_gu2net.data import Domain
from monai_gu2net.dicom import isolated
from monai_gu2net.networks import GU2Net, ModelCard, save_model
from monai_gu2net.prediction import Predictor, load
from monai_gu2net.prediction.background import ahead, background
from monai_gu2net.prediction.chain import Chain
from monai_gu2net.transforms import Found, LoadRadiographd

LONG = 60.0  # seconds that nothing here takes unless it waits for ever


@pytest.fixture
def predictor(tmp_path: Path) -> Predictor:
    torch.manual_seed(0)
    domain = Domain("knee", ("a", "b", "c"), (32, 32))
    network = GU2Net(2, 1, {"knee": 3}, features=(4, 8), global_features=4, dilations=(1, 2))
    return load(save_model(tmp_path / "m.pt", network, ModelCard({"knee": domain}, network.description)))


@pytest.fixture
def pictures(tmp_path: Path, rng: np.random.Generator) -> list[Path]:
    paths = [tmp_path / f"{number}.png" for number in range(6)]
    for path in paths:
        Image.fromarray(rng.integers(0, 256, (40, 60), dtype=np.uint8)).save(path)
    return paths


def cases_of(pictures: list[Path]) -> list[dict[str, Any]]:
    return [{"image": str(path), "domain": "knee", "case": path.stem} for path in pictures]


def threads_beside() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith(("reading", "writing"))]


def test_while_the_network_computes_the_next_image_is_read_and_the_last_one_written(
    predictor: Predictor, pictures: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = {what: [threading.Event() for _ in pictures] for what in ("read", "computed", "written")}
    prepare, find = Chain.prepare, Chain.find

    def reading(chain: Chain, case: Mapping[str, Any]) -> dict[Any, Any]:
        begun["read"][int(case["case"])].set()
        return prepare(chain, case)

    def computing(chain: Chain, sample: Mapping[Any, Any]) -> Found:
        number = int(sample["case"])
        begun["computed"][number].set()
        if number + 1 < len(pictures):
            assert begun["read"][number + 1].wait(LONG)  # would never begin one after the other
        if number:
            assert begun["written"][number - 1].wait(LONG)
        return find(chain, sample)

    def writing(found: Found) -> None:
        number = int(found.case)
        begun["written"][number].set()
        if number + 1 < len(pictures):
            assert begun["computed"][number + 1].wait(LONG)

    monkeypatch.setattr(Chain, "prepare", reading)
    monkeypatch.setattr(Chain, "find", computing)
    rows, failures = predictor.run(cases_of(pictures), saves=[writing])
    assert failures == []
    assert [row["case"] for row in rows[::3]] == ["0", "1", "2", "3", "4", "5"]


def test_few_images_are_in_memory_however_many_there_are(
    predictor: Predictor, pictures: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, read, written, most = threading.Lock(), 0, 0, 0
    prepare = Chain.prepare

    def reading(chain: Chain, case: Mapping[str, Any]) -> dict[Any, Any]:
        nonlocal read, most
        with lock:
            read += 1
            most = max(most, read - written)
        return prepare(chain, case)

    def writing(found: Found) -> None:
        nonlocal written
        threading.Event().wait(0.02)
        with lock:
            written += 1

    monkeypatch.setattr(Chain, "prepare", reading)
    predictor.run(cases_of(pictures * 5), saves=[writing])
    assert (read, written) == (30, 30)
    assert most <= 7


def test_results_failures_and_counts_are_in_the_order_of_the_images(
    predictor: Predictor, pictures: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures[1].write_bytes(b"no picture")
    pictures[4].unlink()
    find, counts, seen = Chain.find, [], []

    def failing(chain: Chain, sample: Mapping[Any, Any]) -> Found:
        if sample["case"] == "3":
            raise RuntimeError("out of memory")
        return find(chain, sample)

    def first(found: Found) -> None:
        seen.append(found.case)
        if found.case == "2":
            raise PermissionError("not here")

    def second(found: Found) -> None:
        if found.case in ("2", "5"):
            raise ValueError("nor there")

    monkeypatch.setattr(Chain, "find", failing)
    rows, failures = predictor.run(cases_of(pictures), saves=[first, second], on_case=counts.append)
    assert [row["case"] for row in rows[::3]] == seen == ["0", "2", "5"]
    assert counts == [1, 2, 3, 4, 5, 6]
    assert [(failure["case"], failure["reason"]) for failure in failures[1:4]] == [
        ("2", "not wholly saved: not here"),
        ("2", "not wholly saved: nor there"),
        ("3", "RuntimeError: out of memory"),
    ]
    assert failures[0]["case"] == "1"
    assert failures[0]["reason"].startswith("1.png must be a whole picture")
    assert failures[4]["reason"].startswith("The image must be a file; got '4.png'")
    assert failures[5] == {"case": "5", "domain": "knee", "reason": "not wholly saved: nor there"}


@pytest.mark.parametrize(
    ("error", "tolerant"), [(RuntimeError("no memory"), False), (OSError(28, "No space left on device"), True)]
)
def test_an_error_of_writing_that_stops_the_run_is_the_caller_s_and_nothing_goes_on(
    predictor: Predictor, pictures: list[Path], error: Exception, tolerant: bool
) -> None:
    saved = []

    def save(found: Found) -> None:
        if found.case == "1":
            raise error
        saved.append(found.case)

    with pytest.raises(type(error), match=str(error.args[-1])):
        predictor.run(cases_of(pictures * 10), saves=[save], tolerant=tolerant)
    assert threads_beside() == []
    assert len(saved) < 10


def test_an_interrupted_run_ends_at_once_and_leaves_no_half_file(
    predictor: Predictor, pictures: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = Chain.find

    def interrupted(chain: Chain, sample: Mapping[Any, Any]) -> Found:
        if sample["case"] == "3":
            raise KeyboardInterrupt
        return find(chain, sample)

    with monkeypatch.context() as patched:
        patched.setattr(Chain, "find", interrupted)
        with pytest.raises(KeyboardInterrupt):
            predictor.predict_files(pictures, output_dir=tmp_path / "out", formats=["json"])
    assert threads_beside() == []
    left = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert not [name for name in left if name.endswith(".part") or name.startswith(("3", "4", "5"))]
    for name in left:
        if name.endswith(".json"):
            json.loads((tmp_path / "out" / name).read_text())
        elif name.endswith(".png"):
            with Image.open(tmp_path / "out" / name) as picture:
                picture.load()
    # what it wrote is noted as its own, and a run of other images leaves it alone
    noted = json.loads((tmp_path / "out" / ".monai_gu2net.results").read_text())["prediction"]
    assert set(noted) == set(left) - {".monai_gu2net.results"}


def test_an_image_is_read_once_and_drawn_as_the_file_has_it(
    predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = np.zeros((40, 60), dtype=np.uint8)
    pixels[:, :20] = 200  # bright on the left
    Image.fromarray(pixels).save(tmp_path / "x.png")
    loads, load_file = [], LoadRadiographd.__call__

    def counted(self: LoadRadiographd, data: Mapping[Any, Any]) -> dict[Any, Any]:
        loads.append(data["image"])
        return load_file(self, data)

    monkeypatch.setattr(LoadRadiographd, "__call__", counted)
    predictor.predict_files([tmp_path / "x.png"], output_dir=tmp_path / "out")
    assert loads == [str(tmp_path / "x.png")]
    with Image.open(tmp_path / "out" / "x.png") as picture:
        drawn = np.asarray(picture)
    assert np.median(drawn[-100:, :300]) == 255
    assert np.median(drawn[-100:, 400:]) == 0


def test_a_background_runs_in_the_caller_s_context_and_drops_what_has_not_begun() -> None:
    word: ContextVar[str] = ContextVar("word", default="")
    word.set("said here")
    begun, free, done = threading.Event(), threading.Event(), []

    def wait() -> None:
        begun.set()
        free.wait(LONG)
        done.append("first")

    def stopped() -> None:
        with background("reading") as submit:
            assert submit(word.get).result() == "said here"
            submit(wait)
            submit(done.append, "second")
            begun.wait(LONG)
            threading.Timer(0.2, free.set).start()
            raise KeyError("stop")

    with pytest.raises(KeyError, match="stop"):
        stopped()
    assert done == ["first"]
    assert threads_beside() == []


def test_an_interrupt_does_not_wait_for_a_file_that_takes_long(
    predictor: Predictor, make_dicom: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = "print('ready', flush=True); input(); import time; time.sleep(1000)"
    image = make_dicom(tmp_path / "slow.dcm", np.zeros((8, 8), dtype=np.uint8))
    main = threading.get_ident()
    begun = time.monotonic()
    isolated.end_worker()
    with monkeypatch.context() as patched:
        patched.setattr(isolated, "_COMMAND", (sys.executable, "-c", slow))
        threading.Timer(1.0, signal.pthread_kill, (main, signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            predictor.run([{"image": str(image), "domain": "knee", "case": "slow"}] * 3)
    assert time.monotonic() - begun < 40  # of the sixty seconds that a file may take
    assert threads_beside() == []
    isolated.end_worker()


@pytest.mark.parametrize("count", [0, 1, 3, 50])
def test_ahead_gives_every_item_with_its_result(count: int) -> None:
    double: Callable[[int], int] = (2).__mul__
    with background("reading") as submit:
        given = [(item, future.result()) for item, future in ahead(submit, double, range(20), count=count)]
    assert given == [(item, 2 * item) for item in range(20)]
