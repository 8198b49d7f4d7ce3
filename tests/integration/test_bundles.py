# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The bundles as a user runs them, on a few images and with tiny networks."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import monai.bundle
import pytest
import torch
from ignite.engine import Events
from monai.transforms import MapTransform
from PIL import Image

from monai_gu2net.data import SPLITS, Datalist, Domain
from monai_gu2net.engines import add_domain, precision
from monai_gu2net.landmarks import read_landmarks
from monai_gu2net.networks import ModelCard, card_of, load_model
from monai_gu2net.phantom import make_phantom

pytestmark = [
    pytest.mark.integration,
    # MONAI's EarlyStopHandler passes Ignite's EarlyStopping options of old names
    pytest.mark.filterwarnings("ignore:'(min_delta|cumulative_delta)' is deprecated:DeprecationWarning"),
    # MONAI warns of every config that it runs
    pytest.mark.filterwarnings("ignore:parsing config_file:UserWarning"),
]

ROOT = Path(__file__).parents[2]
BUNDLES = ROOT / "bundles"
NAMES = ["gu2net", "gu2net_head", "gu2net_hand", "gu2net_chest", "gu2net_spine", "gu2net_volume"]
TINY: dict[str, Any] = {
    "batches_per_epoch": 3,
    "val_interval": 1,
    "device": "$torch.device('cpu')",
    "network_def#features": [4, 8],
    "network_def#global_features": 8,
}


def config(bundle: str, name: str) -> str:
    return str(BUNDLES / bundle / "configs" / name)


def run_monai(
    *launcher: str, folder: Path, config_file: str, run_id: str = "training", fails: bool = False, **options: Any
) -> str:
    """``python -m monai.bundle run`` in a process of its own; what it wrote to its error stream."""
    command = [sys.executable, "-m", *launcher, "monai.bundle", "run", run_id, "--config_file", config_file]
    for name, value in {**(TINY if run_id == "training" else {}), **options}.items():
        command += [f"--{name}", str(value)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=200)
    assert (done.returncode != 0) is fails, done.stderr[-4000:]
    return done.stderr


def train(**options: Any) -> Any:
    """A training workflow in this process, initialized but not run."""
    workflow = monai.bundle.ConfigWorkflow(
        config("gu2net", "train.json"), workflow_type="train", logging_file=False, **{**TINY, **options}
    )
    workflow.initialize()
    return workflow


def run_here(run_id: str, config_file: str, **options: Any) -> None:
    """``python -m monai.bundle run`` in this process, with its logging as it is."""
    monai.bundle.run(
        run_id=run_id, config_file=config_file, logging_file=False, device="$torch.device('cpu')", **options
    )


def log_of(output: Path) -> list[dict[str, str]]:
    with (output / "metrics.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def units_of(output: Path) -> dict[str, str]:
    """The unit of each domain of a report."""
    summaries = json.loads((output / "report" / "summary.json").read_text())["summaries"]
    return {summary["domain"]: summary["unit"] for summary in summaries}


@pytest.fixture(scope="session")
def trained(tiny_phantom: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output folder of two epochs without augmentation, which alone draws new numbers after a restart."""
    output = tmp_path_factory.mktemp("trained")
    train(datalist=str(tiny_phantom), output_dir=str(output), max_epochs=2, augmentation=[]).run()
    return output


def test_the_bundles_are_what_the_template_makes(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, str(BUNDLES / "make.py"), str(tmp_path)],
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=200,
    )
    made = {path.relative_to(tmp_path): path.read_text() for path in tmp_path.rglob("*") if path.is_file()}
    kept = {
        path.relative_to(BUNDLES): path.read_text()
        for name in NAMES
        for path in (BUNDLES / name).rglob("*")
        if path.is_file() and not {"models", "output"} & set(path.relative_to(BUNDLES / name).parts)
    }
    assert made.keys() == kept.keys()
    assert [str(path) for path in made if made[path] != kept[path]] == []


def test_training_from_the_root_writes_model_log_and_report(tiny_phantom: Path, tmp_path: Path) -> None:
    run_monai(
        folder=ROOT,
        config_file="bundles/gu2net/configs/train.json",
        datalist=tiny_phantom,
        output_dir=tmp_path,
        max_epochs=2,
    )
    expected = {"model.pt", "last.pt", "metrics.csv", "learning_curve.png", "tensorboard", "report"}
    assert {path.name for path in tmp_path.iterdir()} == expected
    assert [row["epoch"] for row in log_of(tmp_path)] == ["1", "2"]
    assert list(load_model(tmp_path / "model.pt")[1].domains) == ["head", "hand", "chest"]
    with Image.open(tmp_path / "learning_curve.png") as curve:
        curve.load()
    assert units_of(tmp_path) == {"head": "mm", "hand": "mm", "chest": "mm"}
    assert json.loads((tmp_path / "report" / "summary.json").read_text())["failures"] == []
    assert (tmp_path / "report" / "report.md").read_text().startswith("#")


def test_training_from_the_bundles_own_folder(tiny_phantom: Path, tmp_path: Path) -> None:
    run_monai(
        folder=BUNDLES / "gu2net_head",
        config_file="configs/train.json",
        datalist=tiny_phantom,
        output_dir=tmp_path,
        max_epochs=1,
    )
    assert list(load_model(tmp_path / "model.pt")[1].domains) == ["head"]
    assert (tmp_path / "report" / "report.md").is_file()


def test_a_resumed_run_ends_as_one_that_was_not_interrupted(tiny_phantom: Path, tmp_path: Path, trained: Path) -> None:
    options = {"datalist": str(tiny_phantom), "output_dir": str(tmp_path), "max_epochs": 2, "augmentation": []}
    first = train(**options)
    first.trainer.add_event_handler(Events.EPOCH_COMPLETED(once=1), lambda engine: engine.terminate())
    first.trainer.run()
    assert [row["epoch"] for row in log_of(tmp_path)] == ["1"]
    train(**options, resume=True).trainer.run()

    def lasting(output: Path) -> list[dict[str, str]]:
        return [{name: value for name, value in row.items() if name != "seconds"} for row in log_of(output)]

    assert lasting(tmp_path) == lasting(trained)
    straight, resumed = (torch.load(folder / "last.pt", weights_only=True)["model"] for folder in (trained, tmp_path))
    assert all(torch.equal(straight[name], resumed[name]) for name in straight)


def test_evaluating_writes_a_report(tiny_phantom: Path, trained: Path, tmp_path: Path) -> None:
    run_here(
        "evaluating",
        config("gu2net", "evaluate.json"),
        datalist=str(tiny_phantom),
        checkpoint=str(trained / "model.pt"),
        output_dir=str(tmp_path),
        split="validation",
    )
    assert set(units_of(tmp_path)) == {"head", "hand", "chest"}
    assert "validation split" in (tmp_path / "report" / "report.md").read_text()


@pytest.mark.parametrize("domain", ["head", "hand"])
def test_predicting_writes_the_landmarks_of_a_folder(
    tiny_phantom: Path, trained: Path, tmp_path: Path, domain: str
) -> None:
    run_here(
        "predicting",
        config("gu2net", "inference.json"),
        dataset_dir=str(tiny_phantom.parent / domain),
        domain=domain,
        checkpoint=str(trained / "model.pt"),
        output_dir=str(tmp_path),
        backend="torch" if domain == "head" else "openvino",
    )
    images = sorted(path.name for path in (tiny_phantom.parent / domain).glob("*.png"))
    files = {path.name for path in (tmp_path / "prediction").iterdir()}
    assert len(images) == 7
    assert files == {f"{image}.{ending}" for image in images for ending in ("json", "csv", "mrk.json")}
    names = Datalist.load(tiny_phantom).domains[domain].landmarks
    assert read_landmarks(tmp_path / "prediction" / f"{images[0]}.json").names == names
    assert read_landmarks(tmp_path / "prediction" / f"{images[0]}.mrk.json").names == names


@pytest.mark.parametrize("bundle", ["gu2net", "gu2net_hand", "gu2net_spine", "gu2net_volume"])
def test_the_network_takes_and_gives_what_the_metadata_says(bundle: str, tmp_path: Path) -> None:
    monai.bundle.verify_net_in_out(
        "network_def",
        meta_file=config(bundle, "metadata.json"),
        config_file=config(bundle, "inference.json"),
        device="cpu",
        p=1,
        n=1,
        any=32,
        checkpoint=str(tmp_path / "none.pt"),
    )


def test_the_metadata_names_the_landmarks_of_the_output() -> None:
    for name in NAMES:
        metadata = json.loads(Path(config(name, "metadata.json")).read_text())
        domain = {"gu2net": "head", "gu2net_volume": "head_ct"}.get(name, name.removeprefix("gu2net_"))
        declared = json.loads(Path(config(name, "inference.json")).read_text())["card"]["domains"][domain]
        output = metadata["network_data_format"]["outputs"]["pred"]
        assert output["num_channels"] == len(declared["landmarks"])
        assert list(output["channel_def"].values()) == declared["landmarks"]


@pytest.mark.parametrize(("bundle", "domain"), [("gu2net", "hand"), ("gu2net_head", "head")])
def test_the_exported_network_finds_what_the_trained_one_does(
    tiny_phantom: Path, trained: Path, tmp_path: Path, bundle: str, domain: str
) -> None:
    checkpoint = trained / "model.pt"
    if bundle != "gu2net":
        train(
            datalist=str(tiny_phantom),
            output_dir=str(tmp_path),
            domains=[domain],
            max_epochs=1,
        ).trainer.run()
        checkpoint = tmp_path / "model.pt"
    monai.bundle.ckpt_export(
        net_id="network_def",
        filepath=str(tmp_path / "model.ts"),
        ckpt_file=str(checkpoint),
        meta_file=config(bundle, "metadata.json"),
        config_file=config(bundle, "inference.json"),
        key_in_ckpt="model",
        checkpoint=str(checkpoint),
        domain=domain,
    )
    image = torch.randn(1, 1, 64, 96)
    with torch.inference_mode():
        exported = torch.jit.load(tmp_path / "model.ts").eval()(image)
        expected = load_model(checkpoint)[0](image, domain)
    torch.testing.assert_close(exported, expected, rtol=1e-4, atol=1e-4)


def test_the_training_config_has_what_monai_asks_of_one(tiny_phantom: Path, tmp_path: Path) -> None:
    workflow = train(datalist=str(tiny_phantom), output_dir=str(tmp_path), max_epochs=1)
    assert workflow.check_properties() == []


@pytest.mark.parametrize("bundle", NAMES)
def test_the_inference_config_has_what_monai_asks_of_one(bundle: str, tiny_phantom: Path, tmp_path: Path) -> None:
    images = tiny_phantom.parent / "head"
    if bundle == "gu2net_volume":
        images = make_phantom(tmp_path / "volumes", cases={"test": 1}, domains=["head_ct"], progress=False)
        images = images.parent / "head_ct"
    workflow = monai.bundle.ConfigWorkflow(
        config(bundle, "inference.json"),
        workflow_type="inference",
        logging_file=False,
        dataset_dir=str(images),
        output_dir=str(tmp_path),
        checkpoint=str(tmp_path / "none.pt"),
        device="$torch.device('cpu')",
    )
    workflow.initialize()
    assert workflow.check_properties() == []
    declared = workflow.parser.get_parsed_content("card#domains", instantiate=False)
    assert workflow.network_def.domain_names == list(card_of(tmp_path / "none.pt", declared).domains)


@pytest.mark.parametrize(
    ("bundle", "drawn", "kept"), [("gu2net", ["head", "hand", "chest"], None), ("gu2net_spine", ["spine"], ["spine"])]
)
def test_without_data_a_bundle_draws_its_domains(bundle: str, drawn: list[str], kept: list[str] | None) -> None:
    for name in ("train.json", "evaluate.json"):
        parser = monai.bundle.ConfigParser(monai.bundle.ConfigParser.load_config_file(config(bundle, name)))
        parser["data"] |= {"_target_": "builtins.dict"}
        data = parser.get_parsed_content("data")
        assert (data["phantom_domains"], data["domains"]) == (drawn, kept)
    inference = json.loads(Path(config(bundle, "inference.json")).read_text())
    assert set(drawn) <= set(inference["card"]["domains"])
    assert inference["domain"] == drawn[0]


TWO_PROCESSES = ("torch.distributed.run", "--standalone", "--nproc_per_node=2", "-m")
# No draws, and steps along the gradient: Adam's first ones depend on its sign, which rounding decides where it is zero,
# as that of a bias before a batch norm.
EXACT: dict[str, Any] = {
    "augmentation": [],
    "precision": "float32",
    "optimizer#eps": 10.0,
    "lr_scheduler#t_total": 6,  # of two epochs, also where the first stands alone
}


def train_in_two_processes(output: Path, **options: Any) -> str:
    """The training of the bundle as torchrun runs it; what it wrote to its error stream."""
    configs = [config("gu2net", name) for name in ("train.json", "multi_gpu_train.json")]
    return run_monai(*TWO_PROCESSES, folder=ROOT, config_file=str(configs), output_dir=output, **options)


def assert_same_course(found: Path, expected: Path) -> None:
    """The tables of two runs, and the states that they ended with, but for rounding."""
    for row, other in zip(log_of(found), log_of(expected), strict=True):
        assert set(row) == set(other)
        # not the metrics: an untrained network's maxima jump by its last bits
        for name in ("epoch", "learning_rate", "train_loss"):
            assert float(row[name]) == pytest.approx(float(other[name]), rel=1e-4)
    states = [torch.load(output / "last.pt", weights_only=True) for output in (found, expected)]
    for part in ("model", "average"):
        for name, value in states[1][part].items():
            if isinstance(value, torch.Tensor) and value.is_floating_point():
                torch.testing.assert_close(states[0][part][name], value, rtol=1e-3, atol=1e-5)
    steps = [[entry["step"] for entry in state["optimizer"]["state"].values()] for state in states]
    assert steps[0] == steps[1]
    for part in ("early_stop", "sampler", "lr_scheduler"):
        assert states[0][part].keys() == states[1][part].keys()
    assert states[0]["sampler"] == states[1]["sampler"]
    assert states[0]["progress"]["iteration"] == states[1]["progress"]["iteration"]


@pytest.fixture(scope="session")
def trained_by_one(tiny_phantom: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output folder of two epochs of one process, with batches of 4."""
    output = tmp_path_factory.mktemp("one")
    train(datalist=str(tiny_phantom), output_dir=str(output), max_epochs=2, batch_size=4, **EXACT).run()
    return output


def test_two_processes_train_one_model_which_one_goes_on_with(
    tiny_phantom: Path, tmp_path: Path, trained_by_one: Path
) -> None:
    train_in_two_processes(tmp_path, datalist=tiny_phantom, max_epochs=1, batch_size=2, **EXACT)
    assert [path.name for path in tmp_path.rglob("model.pt")] == ["model.pt"]
    assert [row["epoch"] for row in log_of(tmp_path)] == ["1"]
    assert set(units_of(tmp_path)) == {"head", "hand", "chest"}
    # the trainer, the validator and the pictures of the first process have a file each, the second process none
    assert len({path.name.split(".")[-2] for path in (tmp_path / "tensorboard").iterdir()}) == 1
    options = {"datalist": str(tiny_phantom), "output_dir": str(tmp_path), "batch_size": 2, **EXACT}
    train(**options, max_epochs=2, resume=True).run()
    assert_same_course(tmp_path, trained_by_one)


def test_two_processes_go_on_with_the_run_of_one(tiny_phantom: Path, tmp_path: Path, trained_by_one: Path) -> None:
    options = {"datalist": str(tiny_phantom), "output_dir": str(tmp_path), "batch_size": 4, **EXACT}
    first = train(**options, max_epochs=2)
    first.trainer.add_event_handler(Events.EPOCH_COMPLETED(once=1), lambda engine: engine.terminate())
    first.trainer.run()
    train_in_two_processes(tmp_path, datalist=tiny_phantom, max_epochs=2, batch_size=4, resume=True, **EXACT)
    assert_same_course(tmp_path, trained_by_one)


def test_two_processes_evaluate_as_one(tiny_phantom: Path, tmp_path: Path, trained: Path) -> None:
    # so few images that neither counts enough of them to start another engine
    options = {"datalist": str(tiny_phantom), "checkpoint": str(trained / "model.pt"), "domains": ["head", "hand"]}
    run_here("evaluating", config("gu2net", "evaluate.json"), output_dir=str(tmp_path / "one"), **options)
    run_monai(
        *TWO_PROCESSES,
        folder=ROOT,
        config_file=str([config("gu2net", name) for name in ("evaluate.json", "multi_gpu_evaluate.json")]),
        run_id="evaluating",
        output_dir=tmp_path / "two",
        device="$torch.device('cpu')",
        **options,
    )
    for name in ("summary.json", "summary.csv", "report.md"):
        assert (tmp_path / "two" / "report" / name).read_text() == (tmp_path / "one" / "report" / name).read_text()


DRAW_AS_ONE_OF_TWO_PROCESSES = """
import hashlib, json, sys
import monai.bundle
import torch.distributed as dist

configs, options, folder = json.loads(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3]
workflow = monai.bundle.ConfigWorkflow(configs, workflow_type="train", logging_file=False, **options)
workflow.initialize()

def told(tensors):
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(tensor.detach().numpy().tobytes())
    return digest.hexdigest()

trainer = workflow.trainer  # the loader seeds the transforms
drawn = {
    "weights": told(workflow.network_def.state_dict().values()),
    "image": told([workflow.train_dataset[0]["image"].as_tensor()]),
    "validated": [case["landmarks"] for case in workflow.val_dataset.data],
    "precision": trainer.inferer.precision,
}
with open(f"{folder}/{dist.get_rank()}.json", "w") as file:
    json.dump(drawn, file, default=str)
workflow.finalize()
"""


def test_two_processes_start_from_the_same_weights_and_draw_their_own_augmentation(
    tiny_phantom: Path, tmp_path: Path
) -> None:
    data = Datalist.load(tiny_phantom).only(["head"]).save(tmp_path / "head.json")
    assert len(Datalist.load(data).validation) == 1
    configs = [config("gu2net", name) for name in ("train.json", "multi_gpu_train.json")]
    options = {**TINY, "datalist": str(data), "output_dir": str(tmp_path)}
    (tmp_path / "draw.py").write_text(DRAW_AS_ONE_OF_TWO_PROCESSES)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    done = subprocess.run(
        [*launcher, str(tmp_path / "draw.py"), json.dumps(configs), json.dumps(options), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    first, second = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(2))
    assert first["weights"] == second["weights"]
    assert first["image"] != second["image"]
    assert first["precision"] == second["precision"]
    # one case to validate: the second process takes part with its image alone
    assert len(first["validated"]) == len(second["validated"]) == 1
    assert None not in first["validated"][0]
    assert set(second["validated"][0]) == {None}


def test_the_precision_is_recorded_and_kept(
    tiny_phantom: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"datalist": str(tiny_phantom), "output_dir": str(tmp_path), "augmentation": []}
    monkeypatch.setattr(precision, "processor_prefers_bfloat16", lambda: True)
    train(**options, max_epochs=1).trainer.run()
    assert ModelCard.load(tmp_path / "model.pt").provenance["precision"] == "bfloat16"
    monkeypatch.setattr(precision, "processor_prefers_bfloat16", lambda: False)
    resumed = train(**options, max_epochs=2, resume=True)
    assert resumed.trainer.inferer.precision == "bfloat16"
    resumed.trainer.run()
    assert train(**options, max_epochs=2).trainer.inferer.precision == "float32"
    with pytest.raises(ValueError, match="got precision: 'float32', and 'bfloat16' there"):
        train(**options, max_epochs=3, resume=True, precision="float32").trainer.run()
    with pytest.raises(ValueError, match=r"sigma must be the checkpoint's, 2\.0; got 3\.0"):
        train(**options, max_epochs=3, resume=True, sigma=3.0).trainer.run()
    with pytest.raises(ValueError, match="got batch_size: 1, and 2 there"):
        train(**options, max_epochs=3, resume=True, batch_size=1).trainer.run()


class SpoilOne(MapTransform):
    """Gives the image of one case a pixel that is no number, as a reader that lets it pass would."""

    def __init__(self, case: str) -> None:
        super().__init__("image")
        self.case = case

    def __call__(self, data: Any) -> dict[Any, Any]:
        sample = dict(data)
        if sample["case"] == self.case:
            sample["image"] = sample["image"].clone()
            sample["image"][0, 3, 3] = float("nan")
        return sample


def test_training_stops_at_a_pixel_that_is_no_number_and_leaves_the_good_checkpoint(
    tiny_phantom: Path, tmp_path: Path
) -> None:
    data = Datalist.load(tiny_phantom).only(["hand"])
    datalist, case = data.save(tmp_path / "hand.json"), data.training[1]["case"]
    options = {"datalist": str(datalist), "output_dir": str(tmp_path), "batches_per_epoch": 2, "batch_size": 2}
    train(**options, max_epochs=1, augmentation=[]).trainer.run()
    good = {name: (tmp_path / name).read_bytes() for name in ("model.pt", "last.pt")}
    workflow = train(**options, max_epochs=2, resume=True, augmentation=[SpoilOne(case)])
    with pytest.raises(ValueError, match=rf"in epoch 2, step [34], with a batch of domain 'hand', cases .*'{case}'"):
        workflow.trainer.run()
    assert {name: (tmp_path / name).read_bytes() for name in good} == good


def test_adding_a_domain_stops_at_a_pixel_that_is_no_number(tiny_phantom: Path, tmp_path: Path, trained: Path) -> None:
    known = Datalist.load(tiny_phantom).only(["hand"])
    parts = {split: [{**case, "domain": "foot"} for case in getattr(known, split)] for split in SPLITS}
    foot = Domain("foot", known.domains["hand"].landmarks, known.domains["hand"].size)
    Datalist("feet", {"foot": foot}, **parts).save(tmp_path / "feet.json")
    case = parts["training"][1]["case"]
    with pytest.raises(ValueError, match=rf"with a batch of domain 'foot', cases .*'{case}'"):
        add_domain(
            trained / "model.pt",
            tmp_path / "feet.json",
            output_dir=tmp_path / "added",
            config_file=config("gu2net", "train.json"),
            options={
                "max_epochs": 1,
                "batches_per_epoch": 4,
                "logging_file": False,
                "device": "$torch.device('cpu')",
                "augmentation": [SpoilOne(case)],
            },
        )
    assert not list((tmp_path / "added").glob("*.pt"))


def test_a_process_that_meets_a_number_that_is_none_ends_the_others_too(tiny_phantom: Path, tmp_path: Path) -> None:
    spoil = "$lambda image: image * (float('nan') if dist.get_rank() == 1 else 1.0)"
    errors = run_monai(
        "torch.distributed.run",
        "--standalone",
        "--nproc_per_node=2",
        "-m",
        folder=ROOT,
        config_file=str([config("gu2net", name) for name in ("train.json", "multi_gpu_train.json")]),
        fails=True,
        datalist=tiny_phantom,
        output_dir=tmp_path,
        max_epochs=1,
        augmentation=[{"_target_": "monai.transforms.Lambdad", "keys": "image", "func": spoil}],
    )
    assert "Training must stay finite; got NaN or infinity as the loss in epoch 1, step 1" in errors
    assert not list(tmp_path.rglob("*.pt"))


def test_the_papers_configuration_is_one_file_away(tiny_phantom: Path, tmp_path: Path) -> None:
    files = [config("gu2net", "train.json"), config("gu2net", "paper.json")]
    options: dict[str, Any] = {**TINY, "datalist": str(tiny_phantom), "output_dir": str(tmp_path), "max_epochs": 1}
    for resume in (False, True):
        workflow = monai.bundle.ConfigWorkflow(
            files, workflow_type="train", logging_file=False, **options, resume=resume
        )
        workflow.initialize()
        workflow.run()
        options["max_epochs"] = 2
    optimizer = workflow.parser.get_parsed_content("optimizer")
    assert type(optimizer) is torch.optim.Adam
    # six steps up a triangle from 1e-4 to 1e-2 in 2000
    assert optimizer.param_groups[0]["lr"] == pytest.approx(1e-4 + 6 / 2000 * (1e-2 - 1e-4))
    assert load_model(tmp_path / "model.pt")[1].sigma == 3.0
    saved = torch.load(tmp_path / "last.pt", weights_only=True)
    assert all(torch.equal(saved["average"][f"module.{name}"], value) for name, value in saved["model"].items())


def test_a_domain_is_added_without_forgetting_the_others(tiny_phantom: Path, tmp_path: Path, trained: Path) -> None:
    known = Datalist.load(tiny_phantom).only(["hand"])
    parts = {
        split: [{**case, "domain": "foot", "landmarks": case["landmarks"][:5]} for case in getattr(known, split)]
        for split in ("training", "validation", "test")
    }
    foot = Domain("foot", known.domains["hand"].landmarks[:5], known.domains["hand"].size)
    new = Datalist("feet", {"foot": foot}, **parts).save(tmp_path / "feet.json")
    before, _ = load_model(trained / "model.pt")
    path = add_domain(
        trained / "model.pt",
        new,
        output_dir=tmp_path / "added",
        config_file=config("gu2net", "train.json"),
        like="hand",
        options={"max_epochs": 2, "batches_per_epoch": 3, "logging_file": False, "device": "$torch.device('cpu')"},
    )
    after, card = load_model(path)
    assert list(card.domains) == ["head", "hand", "chest", "foot"]
    image = torch.randn(1, 1, 64, 48)
    for name in ("head", "hand", "chest"):
        assert torch.equal(after(image, name), before(image, name))
    assert after(image, "foot").shape == (1, 5, 64, 48)
    assert list(units_of(tmp_path / "added")) == ["foot"]
    kept = load_model(trained / "model.pt")[1].calibration
    assert list(kept) == ["head", "hand", "chest"]
    assert {name: card.calibration[name] for name in kept} == kept
    assert "foot" in card.calibration
    with pytest.raises(ValueError, match=r"must have a domain that is new to the model's .*got \['foot'\]"):
        add_domain(path, new, output_dir=tmp_path / "again", config_file=config("gu2net", "train.json"))


ALONE = ["head", "hand", "chest", "spine"]
UNIVERSAL = [*ALONE, "fetal_head", "lung_frame"]


@pytest.mark.parametrize(
    ("bundle", "domains"), [("gu2net", UNIVERSAL), *((f"gu2net_{domain}", [domain]) for domain in ALONE)]
)
def test_the_weights_that_ship_describe_themselves(bundle: str, domains: list[str]) -> None:
    path = BUNDLES / bundle / "models" / "model.pt"
    assert path.stat().st_size <= 25_000_000
    network, card = load_model(path)
    assert list(card.domains) == domains
    assert set(card.calibration) == set(domains)
    metadata = json.loads(Path(config(bundle, "metadata.json")).read_text())
    assert set(metadata["eval_metrics"]) == set(domains)
    page = (BUNDLES / bundle / "docs" / "README.md").read_text()
    for name in domains:
        image = torch.zeros(1, 1, *card.domains[name].size)
        assert network(image, name).shape == (1, len(card.domains[name].landmarks), *card.domains[name].size)
        reached = metadata["eval_metrics"][name]
        assert f"| {name} | {reached['images']} | {reached['mre']:g} {reached['unit']} |" in page


def test_the_bundle_of_one_domain_finds_what_the_universal_one_does() -> None:
    universal, _ = load_model(BUNDLES / "gu2net" / "models" / "model.pt")
    image = torch.randn(1, 1, 64, 80)
    for name in ALONE:
        alone, _ = load_model(BUNDLES / f"gu2net_{name}" / "models" / "model.pt")
        assert torch.equal(universal(image, name), alone(image, name))


def test_the_readmes_first_command_needs_no_data(tmp_path: Path) -> None:
    output = tmp_path / "output"
    run_monai(
        folder=tmp_path,
        config_file=config("gu2net", "train.json"),
        output_dir=output,
        max_epochs=1,
        batches_per_epoch=1,
    )
    assert sum(1 for _ in (output / "phantom").rglob("*.png")) == 300  # of which 24 test images a domain
    summaries = json.loads((output / "report" / "summary.json").read_text())["summaries"]
    images = {each["domain"]: (each["images"], each["unit"]) for each in summaries if each["landmark"] is None}
    assert images == dict.fromkeys(("head", "hand", "chest"), (24, "mm"))
    assert tuple(ModelCard.load(output / "model.pt").domains) == ("head", "hand", "chest")
