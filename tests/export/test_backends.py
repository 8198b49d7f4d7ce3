# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The engines that run networks: which one is taken, and that all of them find what PyTorch finds."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from monai_gu2net.data import Datalist, Domain
from monai_gu2net.engines import calibrate_model, evaluate_model
from monai_gu2net.export import Backend
from monai_gu2net.export.backend_engines import openvino_run
from monai_gu2net.export.conversion import import_openvino
from monai_gu2net.inferers import TTAInferer
from monai_gu2net.networks import Ensemble, GU2Net, ModelCard, save_model
from monai_gu2net.prediction import Predictor, load

SHIPPED = Path(__file__).parents[2] / "bundles" / "gu2net" / "models" / "model.pt"
ENGINES = ("openvino", "onnxruntime")
PACKAGES = ("openvino", "onnxruntime", "onnx", "onnxscript")


def network(seed: int = 0, dims: int = 2) -> GU2Net:
    """A small network in evaluation mode."""
    torch.manual_seed(seed)
    return GU2Net(dims, 1, {"knee": 3, "hip": 2}, features=(4, 8), global_features=4, dilations=(1,), prior=0.1).eval()


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes these packages the only ones of the engines' that seem to be there."""
    real = importlib.util.find_spec

    def only(*names: str) -> None:
        def find(name: str, *others: Any) -> Any:
            if name in (*PACKAGES, "tensorrt", "polygraphy"):
                return real("torch") if name in names else None
            return real(name)

        monkeypatch.setattr(importlib.util, "find_spec", find)

    return only


@pytest.fixture
def bfloat16() -> bool:
    """Whether OpenVINO computes in it on this processor."""
    return "BF16" in import_openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


@pytest.mark.parametrize(
    ("there", "device", "precision", "taken"),
    [
        (PACKAGES, "cpu", "auto", "openvino"),
        (("openvino",), "cpu", "float32", "openvino"),
        (("onnxruntime", "onnx", "onnxscript"), "cpu", "auto", "onnxruntime"),
        (("onnxruntime",), "cpu", "auto", "torch"),  # nothing to write its files with
        (("onnxruntime", "onnx", "onnxscript"), "cpu", "bfloat16", "torch"),
        ((), "cpu", "auto", "torch"),
        ((*PACKAGES, "tensorrt", "polygraphy"), "cuda", "auto", "torch"),
    ],
)
def test_auto_takes_the_fastest_engine_that_is_installed_for_the_device(
    installed: Callable[..., None], there: tuple[str, ...], device: str, precision: str, taken: str
) -> None:
    installed(*there)
    assert Backend(device=device, precision=precision).name == taken


@pytest.mark.parametrize(
    ("device", "precision", "computed"),
    [
        ("cpu", "auto", "float32"),
        ("cuda", "auto", "float16"),
        ("cuda", "float32", "float32"),
        ("cpu", "bfloat16", "bfloat16"),
    ],
)
def test_the_precision_is_float32_on_a_processor_and_mixed_float16_on_cuda_unless_asked_for(
    device: str, precision: str, computed: str
) -> None:
    backend = Backend("torch", device=device, precision=precision)
    assert (backend.precision, str(backend)) == (computed, f"PyTorch {torch.__version__}, {computed}")


@pytest.mark.parametrize(
    ("name", "device", "message"),
    [
        ("openvino", "cpu", r'openvino is absent. Run: pip install "monai_gu2net\[fast\]"'),
        ("onnxruntime", "cpu", r'onnxruntime, onnx, onnxscript is absent. Run: pip install "monai_gu2net\[onnx\]"'),
        ("tensorrt", "cuda", "tensorrt, polygraphy, onnx is absent. Run: pip install tensorrt polygraphy onnx"),
    ],
)
def test_an_engine_that_is_asked_for_and_absent_is_an_error_that_says_what_to_install(
    installed: Callable[..., None], name: str, device: str, message: str
) -> None:
    installed()
    with pytest.raises(ImportError, match=f"The backend {name} must have the packages .*; {message}"):
        Backend(name, device=device)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "openvinno"}, "backend must be one of .*; got 'openvinno'"),
        ({"precision": "float16"}, "precision must be one of .*; got 'float16'"),
        (
            {"name": "openvino", "device": "cuda"},
            "openvino must run on cpu; got the device 'cuda'. Choose --device cpu",
        ),
        ({"name": "onnxruntime", "precision": "bfloat16"}, "must compute in float32; got 'bfloat16'"),
        ({"name": "tensorrt"}, "tensorrt must run on cuda; got the device 'cpu'"),
    ],
)
def test_an_engine_that_cannot_do_what_is_asked_is_refused(
    installed: Callable[..., None], options: dict[str, str], message: str
) -> None:
    installed(*PACKAGES, "tensorrt", "polygraphy")
    with pytest.raises(ValueError, match=message):
        Backend(**options)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dims", [2, 3])
def test_an_engine_answers_as_pytorch_for_any_size_and_batch(engine: str, dims: int, rng: np.random.Generator) -> None:
    alone = network(dims=dims).specialize("knee")
    shapes = [(1, 1, 64, 48), (2, 1, 45, 67), (3, 1, 96, 33)] if dims == 2 else [(1, 1, 32, 36, 40), (2, 1, 41, 33, 35)]
    images = [torch.from_numpy(rng.normal(size=shape).astype(np.float32)) for shape in shapes]
    with torch.no_grad():
        run = Backend(engine)(alone, images[0])
        for image in images:
            torch.testing.assert_close(run(image), alone(image), atol=1e-4, rtol=0)


@pytest.mark.parametrize("engine", ENGINES)
def test_an_ensemble_with_augmentation_runs_through_an_engine(engine: str, rng: np.random.Generator) -> None:
    both = Ensemble([network(0), network(1)]).eval()
    image = torch.from_numpy(rng.normal(size=(1, 1, 64, 48)).astype(np.float32))
    with torch.no_grad():
        backend = Backend(engine)
        found = TTAInferer(tta=3, compiled=backend)(image, both, "hip")
        torch.testing.assert_close(found, TTAInferer(tta=3)(image, both, "hip"), atol=1e-4, rtol=0)
    assert "PyTorch" not in str(backend)


@pytest.fixture(scope="module")
def phantom(tiny_phantom: Path) -> Datalist:
    return Datalist.load(tiny_phantom)


@pytest.mark.parametrize(
    ("engine", "domain"),
    [("openvino", "head"), ("openvino", "hand"), ("openvino", "chest"), ("onnxruntime", "head")],
)
def test_the_shipped_weights_find_the_same_points_on_every_engine(phantom: Datalist, engine: str, domain: str) -> None:
    """Within a thousandth of a pixel of the file, and of 1e-4 in confidence."""
    images = [case["image"] for case in phantom.cases("all") if case["domain"] == domain][:4]
    ours, theirs = load(SHIPPED, backend="torch"), load(SHIPPED, backend=engine)
    for image in images:
        first, second = ours.predict(image, domain), theirs.predict(image, domain)
        np.testing.assert_allclose(second.points_index, first.points_index, atol=1e-3)
        np.testing.assert_allclose(second.confidence, first.confidence, atol=1e-4)
    assert len(images) == 4
    assert str(theirs.backend).startswith({"openvino": "OpenVINO ", "onnxruntime": "ONNX Runtime "}[engine])


def test_auto_starts_an_engine_for_images_enough_to_make_up_for_it(rng: np.random.Generator) -> None:
    alone = network().specialize("knee")
    image = torch.from_numpy(rng.normal(size=(1, 1, 64, 48)).astype(np.float32))
    pytorch = f"PyTorch {torch.__version__}, float32"
    with torch.no_grad():
        few, many, one_by_one = Backend(), Backend(), Backend()
        assert str(few).startswith("OpenVINO ")  # what it has in mind
        few.expect(7)
        few(alone, image)(image)
        assert str(few) == pytorch
        many.expect(8)
        many(alone, image)(image)
        assert str(many).startswith("OpenVINO ")
        assert pytorch not in str(many)
        run = one_by_one(alone, image)
        for _ in range(8):
            run(image)
        assert str(one_by_one) == pytorch
        run(image)
        assert str(one_by_one).startswith(f"{pytorch}; OpenVINO ")


def small_model(path: Path) -> Path:
    domains = {"knee": Domain("knee", ("a", "b", "c"), (48, 48)), "hip": Domain("hip", ("p", "q"), (48, 48))}
    small = network()
    return save_model(path, small, ModelCard(domains, small.description))


def test_a_predictor_says_what_its_cases_ran_on(tmp_path: Path, rng: np.random.Generator) -> None:
    images = [tmp_path / f"{number}.png" for number in range(8)]
    for path in images:
        Image.fromarray(rng.integers(0, 256, (48, 48), dtype=np.uint8)).save(path)
    few, many = (Predictor(small_model(tmp_path / "m.pt")) for _ in range(2))
    few.predict_files(images[:2], output_dir=tmp_path / "few", domain="knee", overlays=False)
    many.predict_files(images, output_dir=tmp_path / "many", domain="knee", overlays=False)
    assert str(few.backend).startswith("PyTorch ")
    assert str(many.backend).startswith("OpenVINO ")
    assert "PyTorch" not in str(many.backend)


def test_another_engine_or_precision_is_another_use_of_a_model(tmp_path: Path) -> None:
    predictor = Predictor(small_model(tmp_path / "m.pt"))
    assert predictor.with_options(min_confidence=0.5).backend is predictor.backend
    other = predictor.with_options(backend="torch", precision="bfloat16")
    assert (other.backend.name, other.backend.precision) == ("torch", "bfloat16")
    assert other.inferer is not predictor.inferer


@pytest.mark.parametrize(("backend", "title"), [("torch", "PyTorch"), ("openvino", "OpenVINO")])
def test_a_report_and_a_calibration_are_made_on_the_engine_asked_for(
    tmp_path: Path, rng: np.random.Generator, backend: str, title: str
) -> None:
    images = [tmp_path / f"{number}.png" for number in range(2)]
    for path in images:
        Image.fromarray(rng.integers(0, 256, (48, 48), dtype=np.uint8)).save(path)
    cases = [{"image": str(path), "domain": "knee", "landmarks": [[9, 9], [20, 30], [40, 5]]} for path in images]
    data = Datalist("knees", {"knee": Domain("knee", ("a", "b", "c"), (48, 48))}, test=cases)
    result = evaluate_model(
        small_model(tmp_path / "m.pt"), data, output_dir=tmp_path / "r", backend=backend, worst=0, device="cpu"
    )
    version = importlib.metadata.version(backend)
    said = json.loads((tmp_path / "r" / "summary.json").read_text())["protocol"]["Engine"]
    assert said == f"{title} {version}, float32"
    assert said in result.path.read_text()
    with pytest.raises(ValueError, match="must compute in float32; got 'bfloat16'"):
        calibrate_model(tmp_path / "m.pt", data, split="test", backend="onnxruntime", precision="bfloat16")


class Untraceable(nn.Module):
    """OpenVINO does not know its operation."""

    def forward(self, image: Tensor) -> Tensor:
        return torch.special.bessel_j0(image)


class OtherwiseWhenTraced(nn.Module):
    """A trace of it is not what it computes."""

    def forward(self, image: Tensor) -> Tensor:
        return image + 1 if torch.jit.is_tracing() else image


@pytest.mark.parametrize(
    ("strange", "reason"), [(Untraceable(), "bessel_j0"), (OtherwiseWhenTraced(), "differ from PyTorch's .* by 1")]
)
def test_auto_falls_back_to_pytorch_with_a_warning_and_an_engine_asked_for_is_an_error(
    strange: nn.Module, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    image = torch.rand(1, 1, 40, 40)
    backend = Backend()
    backend.expect(100)
    run = backend(strange, image)
    assert torch.equal(run(image), strange(image))
    assert torch.equal(run(image), strange(image))
    [record] = caplog.records
    assert record.levelname == "WARNING"
    assert "OpenVINO must be able to run the network" in record.message
    assert str(backend).startswith("PyTorch")
    asked = Backend("openvino")(strange, image)
    for _ in range(2):
        with pytest.raises(
            ValueError, match=f"(?s)OpenVINO must be able to run the network; .*{reason}.*Choose another"
        ):
            asked(image)


def test_a_network_that_no_domain_can_be_taken_out_of_is_compiled_with_its_arguments() -> None:
    class Shifting(nn.Module):
        def forward(self, image: Tensor, by: int) -> Tensor:
            return image + by

    image = torch.rand(1, 1, 40, 40)
    backend = Backend("openvino")
    inferer = TTAInferer(compiled=backend)
    for by in (2, 3):
        torch.testing.assert_close(inferer(image, Shifting().eval(), by), image + by)
    assert str(backend).startswith("OpenVINO")


def test_changed_weights_are_compiled_anew() -> None:
    small, image = network(), torch.rand(1, 1, 64, 48)
    inferer = TTAInferer(compiled=Backend("openvino"))
    with torch.no_grad():
        before = inferer(image, small, "knee")
        for parameter in small.parameters():
            parameter.mul_(1.1)
        after = inferer(image, small, "knee")
        torch.testing.assert_close(after, TTAInferer()(image, small, "knee"), atol=1e-4, rtol=0)
    assert not torch.allclose(before, after, atol=1e-2)


def test_a_network_in_training_mode_runs_as_it_is() -> None:
    small, image = network().train(), torch.rand(2, 1, 64, 48)
    logits = TTAInferer(compiled=Backend("openvino"))(image, small, "knee")
    assert logits.requires_grad


def test_bfloat16_is_what_openvino_computes_in_or_an_error(bfloat16: bool) -> None:
    alone, image = network().specialize("knee"), torch.rand(1, 1, 64, 48)
    single = openvino_run(alone, image, "float32")
    assert single.compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name() == "f32"  # type: ignore[attr-defined]
    if not bfloat16:
        with pytest.raises(ValueError, match="must compute in float32 on this processor; got 'bfloat16'"):
            Backend("openvino", precision="bfloat16")
        assert Backend(precision="bfloat16").name == "torch"
        return
    assert Backend(precision="bfloat16").name == "openvino"
    half = openvino_run(alone, image, "bfloat16")
    assert half.compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name() == "bf16"  # type: ignore[attr-defined]
    difference = (half(image) - single(image)).abs().max()
    assert 1e-4 < difference < 0.3


def test_bfloat16_of_pytorch_rounds_the_convolutions_and_gives_float32() -> None:
    alone, image = network().specialize("knee"), torch.rand(1, 1, 64, 48)
    with torch.no_grad():
        logits = Backend("torch", precision="bfloat16")(alone, image)(image)
        difference = (logits - alone(image)).abs().max()
    assert logits.dtype == torch.float32
    assert 1e-4 < difference < 0.3


@pytest.fixture(params=[1, 2])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def test_openvino_uses_as_many_threads_as_pytorch_and_binds_none(threads: int) -> None:
    compiled = openvino_run(network().specialize("knee"), torch.rand(1, 1, 64, 48), "float32").compiled  # type: ignore[attr-defined]
    assert compiled.get_property("INFERENCE_NUM_THREADS") == threads
    assert compiled.get_property("ENABLE_CPU_PINNING") is False


def test_threads_that_share_a_network_get_their_own_answers() -> None:
    alone = network().specialize("knee")
    images = [torch.rand(1, 1, 64, 48) for _ in range(4)]
    with torch.no_grad():
        run = Backend("openvino")(alone, images[0])
        expected = [alone(image) for image in images]
    wrong: list[int] = []

    def work(number: int) -> None:
        for _ in range(20):
            if not torch.allclose(run(images[number]), expected[number], atol=1e-4):
                wrong.append(number)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert wrong == []


SILENT = """
import socket, sys, threading
def refuse(*args, **options):  # in a process that was forked, too
    open("called", "w").close()
    raise OSError("no network")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
import torch
if sys.argv[1] == "package":
    from monai_gu2net.export import Backend
    image = torch.rand(1, 1, 40, 40)
    Backend("openvino")(torch.nn.Conv2d(1, 2, 3), image)(image)
else:
    import openvino
for thread in threading.enumerate():
    if thread is not threading.current_thread():
        thread.join(10)
print("openvino" in sys.modules)
"""


@pytest.mark.parametrize(("importer", "reports"), [("package", False), ("user", True)])
def test_openvino_reports_nothing_over_the_network_and_writes_nothing_at_home(
    tmp_path: Path, importer: str, reports: bool
) -> None:
    """While its import by others would do both."""
    environment = {name: value for name, value in os.environ.items() if name not in ("CI", "TF_BUILD", "JENKINS_URL")}
    environment["HOME"] = environment["LOCALAPPDATA"] = str(tmp_path)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SILENT, importer],
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "True\n"
    assert {path.name for path in tmp_path.iterdir()} == ({"called", "intel"} if reports else set())
