# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Very many images on Ray: the same results, each once, whatever is killed when."""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from monai_gu2net.data import Domain
from monai_gu2net.evaluation import result_columns, result_table
from monai_gu2net.networks import GU2Net, ModelCard, save_model
from monai_gu2net.prediction import load, predict_many
from monai_gu2net.sources import image_places

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1500)]

_RUN = Path(__file__).with_name("ray_run.py")
_IMAGES = 60


def needed(*packages: str) -> None:
    """Skip where a package of the extra is absent; in CI that is a failure."""
    absent = [name for name in packages if importlib.util.find_spec(name) is None]
    if absent and not os.environ.get("CI"):
        pytest.skip(f"not installed: {', '.join(absent)} (the extra ray)")
    assert not absent


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    domains = {"knee": Domain("knee", ("a", "b", "c"), (32, 32))}
    network = GU2Net(2, 1, {"knee": 3}, features=(4, 8), global_features=4, dilations=(1, 2))
    return save_model(tmp_path_factory.mktemp("model") / "model.pt", network, ModelCard(domains, network.description))


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Good ones, of the same names in two folders, one that is broken, and one that is not there."""
    folder, rng = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    paths = [folder / f"{number % 2}" / f"{number // 2}.png" for number in range(_IMAGES)]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (40, 60), dtype=np.uint8)).save(path)
    paths.insert(30, folder / "0" / "broken.png")
    paths[30].write_bytes(paths[0].read_bytes()[:100])
    return [*paths, folder / "absent.png"]


@pytest.fixture(scope="module")
def expected(model: Path, images: list[Path]) -> pd.DataFrame:
    """What the predictor gives, one image after the other."""
    predictor = load(model, spacing=(0.5, 0.25), backend="torch")
    cases = [{"image": str(path), "domain": "knee", "case": str(path)} for path in images]
    return result_table(predictor.run(cases)[0])


@functools.cache
def cases(part: Path) -> frozenset[str]:
    """The images of a part, which never changes."""
    return frozenset(pd.read_parquet(part, columns=["case"])["case"])


def recorded(results: Path) -> set[str]:
    return {case for part in results.glob("*/part-*.parquet") for case in cases(part)}


def descendants(pid: int) -> dict[int, str]:
    """The processes that a process started, and they did, with their names."""
    parent: dict[int, int] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent[int(status.parent.name)] = int(status.read_text().rpartition(")")[2].split()[1])
        except OSError:  # it has ended
            continue
    found = {pid}
    while more := {child for child, its in parent.items() if its in found} - found:
        found |= more
    return {
        child: Path(f"/proc/{child}/cmdline").read_text() for child in found - {pid} if Path(f"/proc/{child}").exists()
    }


def listening(pids: set[int]) -> set[str]:
    """The addresses, as the kernel writes them, at which processes listen."""
    sockets = set()
    for pid in pids:
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            try:
                sockets.add(os.readlink(descriptor))
            except OSError:
                continue
    lines = [
        line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]
    ]
    return {line[1].partition(":")[0] for line in lines if line[3] == "0A" and f"socket:[{line[9]}]" in sockets}


@dataclass
class Killed:
    results: Path
    first: set[str]
    """Images recorded when the first run was killed."""
    second: set[str]
    """And when the second one was interrupted."""
    logs: list[list[str]]
    summary: list[int]
    deadly: str
    listening: set[str]
    telemetry: list[str]
    """The environments of the processes that would send Ray's usage statistics, which are those of the dashboard."""
    dashboards: list[str]


@pytest.fixture(scope="module")
def killed(model: Path, images: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Killed:
    """Three runs of one list: a worker and then the first run are killed, the second is interrupted."""
    needed("ray", "fsspec")
    folder = tmp_path_factory.mktemp("killed")
    deadly = folder / "deadly.png"
    deadly.write_bytes(images[0].read_bytes())
    listed = [*map(str, images), str(deadly)]
    (folder / "list.txt").write_text("\n".join([*listed, listed[0], ""]))
    results = folder / "results"

    def start(number: int) -> subprocess.Popen[str]:
        arguments = [str(model), str(folder / "list.txt"), str(results), str(folder / f"{number}.log")]
        return subprocess.Popen([sys.executable, str(_RUN), *arguments], stdout=subprocess.PIPE, text=True)

    def until(process: subprocess.Popen[str], count: int) -> None:
        end = time.monotonic() + 400
        while len(recorded(results)) < count:
            assert process.poll() is None, "it ended before it was stopped"
            assert time.monotonic() < end
            time.sleep(0.05)

    with start(0) as process:
        until(process, 6)
        below = descendants(process.pid)
        workers = [pid for pid, name in below.items() if name.startswith("ray::MapWorker")]
        addresses = listening(set(below) | {process.pid})
        dashboards = {pid: name for pid, name in below.items() if "dashboard/dashboard.py" in name}
        telemetry = [Path(f"/proc/{pid}/environ").read_text() for pid in dashboards]
        os.kill(workers[0], signal.SIGKILL)
        until(process, 20)
        process.kill()
    first = recorded(results)
    with start(1) as process:
        until(process, len(first) + 6)
        process.send_signal(signal.SIGINT)
    second = recorded(results)
    with start(2) as process:
        summary = json.loads(process.communicate()[0].splitlines()[-1])  # after what Ray says of workers that died
    assert process.returncode == 0
    logs = [(folder / f"{number}.log").read_text().splitlines() for number in range(3)]
    return Killed(results, first, second, logs, summary, str(deadly), addresses, telemetry, list(dashboards.values()))


def test_whatever_is_killed_each_image_is_in_one_part_once(killed: Killed, images: list[Path]) -> None:
    of_case = [case for part in killed.results.glob("*/part-*.parquet") for case in cases(part)]
    assert Counter(of_case) == dict.fromkeys([*map(str, images), killed.deadly], 1)


def test_what_is_in_a_part_is_not_done_again(killed: Killed) -> None:
    assert 20 <= len(killed.first) < len(killed.second) < _IMAGES
    assert not killed.first & set(killed.logs[1])
    assert not killed.second & set(killed.logs[2])
    good_before = sum("broken" not in case and "absent" not in case for case in killed.second)
    assert killed.summary == [len(killed.second), _IMAGES - good_before, 3]


def test_parts_hold_what_the_predictor_finds(killed: Killed, expected: pd.DataFrame) -> None:
    table = pd.read_parquet(killed.results / "landmarks")
    order = ["case", "landmark"]
    pd.testing.assert_frame_equal(
        result_table(table).sort_values(order, ignore_index=True), expected.sort_values(order, ignore_index=True)
    )


def test_all_parts_have_the_columns_of_a_result_table_in_its_types(killed: Killed) -> None:
    for path in (killed.results / "landmarks").iterdir():
        kinds = {name: str if kind == "string" else float for name, kind in pd.read_parquet(path).dtypes.items()}
        assert list(kinds.items()) == list(result_columns().items())


def test_images_that_fail_are_results_with_the_reason(killed: Killed, images: list[Path]) -> None:
    failures = pd.read_parquet(killed.results / "failures").set_index("case")
    assert set(failures["domain"]) == {"knee"}
    reasons = dict(failures["reason"])
    assert reasons.keys() == {str(images[30]), str(images[-1]), killed.deadly}
    assert "broken.png must be a whole picture" in reasons[str(images[30])]
    assert "which is not there" in reasons[str(images[-1])]
    assert "2 workers that died at it" in reasons[killed.deadly]


def test_nothing_listens_to_other_machines_and_nothing_is_sent_to_rays_makers(killed: Killed) -> None:
    # as /proc/net has them: 127.0.0.1, the same in IPv6, and ::1
    loopback = {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}
    assert killed.listening
    assert killed.listening <= loopback
    assert all("RAY_USAGE_STATS_ENABLED=0" in environment.split("\0") for environment in killed.telemetry)
    assert all("--disable-frontend" in name.split("\0") for name in killed.dashboards)


def test_no_copy_and_no_half_written_file_is_left(killed: Killed) -> None:
    names = {path.name for path in killed.results.rglob("*") if path.is_file()}
    assert {name for name in names if not name.startswith("part-")} <= {"run.json", ".lock"}


@pytest.fixture
def server(images: list[Path]) -> Iterator[tuple[str, Counter[str]]]:
    """A folder of the images as an HTTP server has it, and how often each was asked for."""
    asked: Counter[str] = Counter()

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            asked[self.path] += 1
            super().do_GET()

        def log_message(self, *arguments: object) -> None: ...

    handler: Callable[..., SimpleHTTPRequestHandler] = functools.partial(Handler, directory=images[0].parent)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        threading.Thread(target=http.serve_forever).start()
        yield f"http://127.0.0.1:{http.server_address[1]}", asked
        http.shutdown()


@pytest.fixture
def short_folder() -> Iterator[str]:
    """For temporary files: the name of a socket has at most 107 bytes, and Ray's are long."""
    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder:
        yield folder


def test_the_command_predicts_a_folder_behind_a_uri_as_it_does_local_files(
    model: Path,
    images: list[Path],
    expected: pd.DataFrame,
    server: tuple[str, Counter[str]],
    tmp_path: Path,
    short_folder: str,
) -> None:
    needed("ray", "fsspec", "aiohttp")
    uri, asked = server
    command = [sys.executable, "-m", "monai_gu2net", "predict", "--ray", f"{uri}/", "-m", str(model)]
    command += ["-o", str(tmp_path / "out"), "--spacing", "0.5,0.25", "--workers", "1", "--backend", "torch"]
    environment = {**os.environ, "TMPDIR": short_folder}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 1, done.stderr
    assert f"Wrote landmarks of {_IMAGES // 2} image(s)" in done.stdout
    assert "Ran on PyTorch" in done.stdout
    assert json.loads((tmp_path / "out" / "run.json").read_text())["options"]["backend"] == "torch"
    assert "failed: knee" in done.stderr
    assert "broken.png must be a whole picture" in done.stderr
    table = pd.read_parquet(tmp_path / "out" / "landmarks")
    folder = str(images[0].parent)
    of_folder = expected[expected["case"].str.startswith(f"{folder}/")]
    assert set(table["case"]) == {case.replace(folder, uri) for case in of_folder["case"]}
    table["case"] = table["case"].str.replace(uri, folder)
    order = ["case", "landmark"]
    pd.testing.assert_frame_equal(
        result_table(table).sort_values(order, ignore_index=True), of_folder.sort_values(order, ignore_index=True)
    )
    assert not list(Path(short_folder).glob("monai_gu2net_*")), "copies of images are left"
    fetched = asked.copy()
    again = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert "image(s) were done before" in again.stdout
    assert {path for path in asked if asked[path] > fetched[path]} == {"/"}, "only the folder is listed again"


def test_volumes_are_predicted_as_the_predictor_does(tmp_path: Path, short_folder: str) -> None:
    """Larger than what is seen at once, of axes in another order, one of them without a scale."""
    needed("ray")
    domain = Domain("skull", ("a", "b"), (16, 16, 16), orientation="RAS", target_spacing=(1.0, 1.0, 1.0))
    network = GU2Net(3, 1, {"skull": 2}, features=(2, 4), global_features=4, dilations=(1,))
    model = save_model(tmp_path / "model.pt", network, ModelCard({"skull": domain}, network.description))
    rng, folder = np.random.default_rng(0), tmp_path / "volumes"
    folder.mkdir()
    affine = np.array([[0.0, -1.5, 0, 7], [2.0, 0, 0, -4], [0, 0, 1, 3], [0, 0, 0, 1]])
    for name, grid in (("a", affine), ("b", affine), ("plain", np.eye(4))):
        voxels = rng.integers(0, 999, (20, 24, 18), dtype=np.int16)
        nibabel.save(nibabel.Nifti1Image(voxels, grid), folder / f"{name}.nii.gz")
    command = [sys.executable, "-m", "monai_gu2net", "predict", "--ray", str(folder), "-m", str(model)]
    command += ["-o", str(tmp_path / "out"), "--workers", "1", "--backend", "torch"]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "TMPDIR": short_folder})
    assert done.returncode == 1, done.stderr
    assert "plain.nii.gz" in done.stderr
    table = result_table(pd.read_parquet(tmp_path / "out" / "landmarks"))
    places = [str(folder / f"{name}.nii.gz") for name in "ab"]
    cases = [{"image": place, "domain": "skull", "case": place} for place in places]
    expected = result_table(load(model, backend="torch").run(cases)[0])
    assert expected["predicted_z"].notna().all()
    order = ["case", "landmark"]
    pd.testing.assert_frame_equal(
        table.sort_values(order, ignore_index=True), expected.sort_values(order, ignore_index=True)
    )


def test_an_address_at_which_nobody_answers_is_refused_at_once(model: Path, images: list[Path], tmp_path: Path) -> None:
    needed("ray")
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    found, _ = image_places(images[:1])
    with pytest.raises(OSError, match=f"must be of a running Ray cluster; got '{address}'"):
        predict_many(found, model, output_dir=tmp_path / "out", address=address)
