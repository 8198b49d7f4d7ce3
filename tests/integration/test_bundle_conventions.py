# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What MONAI's own functions ask of a bundle, as they are called for those of the model zoo."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import monai.bundle
import pytest
import torch
from ignite.engine import Engine, Events
from monai.bundle.utils import DEFAULT_MLFLOW_SETTINGS

from monai_gu2net.data import Domain
from monai_gu2net.engines.plain_errors import plain_cause
from monai_gu2net.landmarks.anatomical_names import HAND_LANDMARKS
from monai_gu2net.networks import GU2Net, ModelCard, UShapedNet, keep_domains, load_model, reach_from, save_model
from monai_gu2net.networks.card_state import without_card
from monai_gu2net.phantom.phantom_case import EXAMINATIONS

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
SHIPPED = ["gu2net", "gu2net_head", "gu2net_hand", "gu2net_chest", "gu2net_spine"]
TINY: dict[str, Any] = {
    "batches_per_epoch": 2,
    "max_epochs": 1,
    "val_interval": 1,
    "network_def#features": [4, 8],
    "network_def#global_features": 8,
}


def config(bundle: str, name: str) -> str:
    return str(BUNDLES / bundle / "configs" / name)


def run_monai(run_id: str, *, folder: Path, config_file: str, **options: Any) -> None:
    """``python -m monai.bundle run`` in a process of its own, on a device given as a word."""
    command = [sys.executable, "-m", "monai.bundle", "run", run_id, "--config_file", config_file, "--device", "cpu"]
    for name, value in options.items():
        command += [f"--{name}", str(value)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr[-4000:]


def failures_of(output: Path) -> Any:
    return json.loads((output / "report" / "summary.json").read_text())["failures"]


@pytest.fixture(scope="module")
def trained(tiny_phantom: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output folder of a short training run on a device given as a word."""
    output = tmp_path_factory.mktemp("trained")
    run_monai(
        "training",
        folder=ROOT,
        config_file=config("gu2net", "train.json"),
        datalist=tiny_phantom,
        output_dir=output,
        **TINY,
    )
    return output


@pytest.mark.parametrize("bundle", SHIPPED)
@pytest.mark.parametrize("workflow", ["train", "inference"])
def test_loading_a_bundle_gives_its_trained_network_and_draws_nothing(
    bundle: str, workflow: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(BUNDLES.rglob("*"))
    network = monai.bundle.load(bundle, bundle_dir=BUNDLES, workflow_type=workflow, device="cpu")
    assert (list(tmp_path.iterdir()), sorted(BUNDLES.rglob("*"))) == ([], before)
    weights = torch.load(BUNDLES / bundle / "models" / "model.pt", weights_only=True)
    for name, value in without_card(network.state_dict()).items():
        assert torch.equal(value, weights[name].to(value.dtype)), name
    # the network that is trained without data is of the domains that the phantom draws, the first ones of the weights'
    _, card = keep_domains(BUNDLES / bundle / "models" / "model.pt", network.domain_names)
    assert ModelCard.from_state_dict(network.card.content) == card
    assert network.domain_names == list(card.domains)


def test_loading_a_bundle_into_a_given_network_fills_it_or_says_why_not() -> None:
    _, card = load_model(BUNDLES / "gu2net" / "models" / "model.pt")
    counts = {name: len(domain.landmarks) for name, domain in card.domains.items()}
    weights = torch.load(BUNDLES / "gu2net" / "models" / "model.pt", weights_only=True)
    own = GU2Net(2, 1, counts, **reach_from(BUNDLES / "gu2net" / "models" / "model.pt"))
    network = monai.bundle.load("gu2net", model=own, bundle_dir=BUNDLES, device="cpu")
    assert all(torch.equal(value, weights[name].float()) for name, value in network.named_parameters())
    others = GU2Net(2, 1, {"head": 19, "hand": 37, "knee": 6})
    with pytest.raises(ValueError, match=r"must be of the network's domains and numbers of landmarks.*'knee': 6"):
        monai.bundle.load("gu2net", model=others, bundle_dir=BUNDLES, device="cpu")
    with pytest.raises(ValueError, match=r"must be of the network .*'global_features': 64"):
        monai.bundle.load(
            "gu2net",
            bundle_dir=BUNDLES,
            device="cpu",
            workflow_type="train",
            net_override={"global_features": 64},
        )


@pytest.mark.parametrize("domain", ["hand", "foot"])
@pytest.mark.parametrize("network", ["GU2Net", "UShapedNet"])
def test_the_bundle_of_a_model_of_ones_own_is_loaded_as_it_is(
    network: str, domain: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of another network than the shipped one, in colour, and of domains that the phantom has not or has otherwise."""
    domains = {
        "hand": Domain("hand", ("a", "b", "c"), (64, 64)),
        "foot": Domain("foot", ("p", "q"), (64, 48), in_channels=3),
    }
    counts = ({name: each.in_channels for name, each in domains.items()}, {"hand": 3, "foot": 2})
    own = (
        GU2Net(2, *counts, branches="local", features=(4, 8), global_features=4)
        if network == "GU2Net"
        else UShapedNet(2, *counts, sharing="separable", features=(4, 8))
    )
    model = save_model(tmp_path / "own.pt", own, ModelCard(domains, own.description, sigma=1.5))
    make = [sys.executable, str(BUNDLES / "make.py"), str(tmp_path / "made"), "--domain", domain, "--checkpoint"]
    subprocess.run([*make, str(model)], check=True, env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=200)
    monkeypatch.chdir(tmp_path)  # where no path of the bundle's leads to its weights
    for workflow in ("train", "inference"):
        loaded = monai.bundle.load(
            f"gu2net_{domain}", bundle_dir=tmp_path / "made", workflow_type=workflow, device="cpu"
        )
        weights = own.state_dict()
        index = list(domains).index(domain)
        for name, value in loaded.named_parameters():
            assert torch.equal(value, weights[name.replace(".domains.0.", f".domains.{index}.")]), name
    train = json.loads((tmp_path / "made" / f"gu2net_{domain}" / "configs" / "train.json").read_text())
    assert train["sigma"] == 1.5
    with pytest.raises(RuntimeError) as raised:
        monai.bundle.run("training", config_file=str(tmp_path / f"made/gu2net_{domain}/configs/train.json"))
    assert "Data must be given for domains that the phantom" in str(plain_cause(raised.value))


@pytest.mark.parametrize("key", [None, "model"])
def test_the_shipped_weights_are_exported_and_loaded_as_torchscript(tmp_path: Path, key: str | None) -> None:
    models = tmp_path / "gu2net" / "models"
    models.mkdir(parents=True)
    monai.bundle.ckpt_export(
        net_id="network_def",
        filepath=str(models / "model.ts"),
        ckpt_file=str(BUNDLES / "gu2net" / "models" / "model.pt"),
        meta_file=config("gu2net", "metadata.json"),
        config_file=config("gu2net", "inference.json"),
        key_in_ckpt=key,
        domain="chest",
    )
    exported, metadata, _ = monai.bundle.load("gu2net", bundle_dir=tmp_path, load_ts_module=True, device="cpu")
    assert metadata["network_data_format"]["outputs"]["pred"]["type"] == "image"
    image = torch.randn(1, 1, 64, 80)
    expected = load_model(BUNDLES / "gu2net" / "models" / "model.pt")[0](image, "chest")
    with torch.inference_mode():
        torch.testing.assert_close(exported.eval()(image), expected, rtol=1e-4, atol=1e-4)


def test_the_hand_has_one_list_of_names_in_the_layout_the_phantom_and_the_weights() -> None:
    assert EXAMINATIONS["hand"].domain.landmarks == HAND_LANDMARKS
    assert not any(name.startswith("landmark") for name in HAND_LANDMARKS)
    for bundle in ("gu2net", "gu2net_hand"):
        card = ModelCard.load(BUNDLES / bundle / "models" / "model.pt")
        assert card.domains["hand"].landmarks == HAND_LANDMARKS
    declared = json.loads(Path(config("gu2net_hand", "inference.json")).read_text())["card"]["domains"]["hand"]
    assert tuple(declared["landmarks"]) == HAND_LANDMARKS


@pytest.mark.parametrize("own_folder", [False, True])
def test_evaluating_the_shipped_weights_scores_all_domains_of_the_phantom(
    tiny_phantom: Path, tmp_path: Path, own_folder: bool
) -> None:
    """With the training's config before the evaluation's, as the bundles of the model zoo are evaluated."""
    folder, prefix = (BUNDLES / "gu2net", "") if own_folder else (ROOT, "bundles/gu2net/")
    weights = BUNDLES / "gu2net" / "models" / "model.pt"
    run_monai(
        "evaluating",
        folder=folder,
        config_file=f"['{prefix}configs/train.json','{prefix}configs/evaluate.json']",
        datalist=tiny_phantom,
        output_dir=tmp_path,
        checkpoint=weights,
    )
    assert failures_of(tmp_path) == []
    summaries = json.loads((tmp_path / "report" / "summary.json").read_text())["summaries"]
    assert list(dict.fromkeys(summary["domain"] for summary in summaries)) == ["head", "hand", "chest"]


@pytest.mark.parametrize("bundle", NAMES)
def test_a_training_config_with_the_evaluations_after_it_is_whole(
    bundle: str, tiny_phantom: Path, tmp_path: Path
) -> None:
    known = bundle not in ("gu2net_spine", "gu2net_volume")
    workflow = monai.bundle.ConfigWorkflow(
        [config(bundle, name) for name in ("train.json", "evaluate.json")],
        workflow_type="train",
        logging_file=False,
        output_dir=str(tmp_path),
        device="cpu",
        **({"datalist": str(tiny_phantom)} if known else {"data": {"_target_": "builtins.dict"}}),
    )
    workflow.initialize()
    if known:
        assert workflow.check_properties() == []
    assert workflow.parser["run"] == "@evaluating"


@pytest.mark.parametrize("own_folder", [False, True])
def test_predicting_takes_a_device_as_a_word(
    tiny_phantom: Path, trained: Path, tmp_path: Path, own_folder: bool
) -> None:
    run_monai(
        "predicting",
        folder=BUNDLES / "gu2net" if own_folder else ROOT,
        config_file="configs/inference.json" if own_folder else "bundles/gu2net/configs/inference.json",
        dataset_dir=tiny_phantom.parent / "hand",
        domain="hand",
        checkpoint=trained / "model.pt",
        output_dir=tmp_path,
    )
    images = sorted(path.name for path in (tiny_phantom.parent / "hand").glob("*.png"))
    assert sorted(path.name for path in (tmp_path / "prediction").glob("*.csv")) == [f"{name}.csv" for name in images]


class NoteOfScalars:
    """What MONAI's MLFlowHandler does with an output, without a server: it takes a scalar or a tensor of one."""

    noted: list[float] = []

    def __init__(self, output_transform: Any = None, iteration_log: bool = True, **_: Any) -> None:
        self.output_transform, self.iteration_log = output_transform, iteration_log

    def attach(self, engine: Engine) -> None:
        if self.iteration_log:
            engine.add_event_handler(Events.ITERATION_COMPLETED, self._note)

    def _note(self, engine: Engine) -> None:
        loss = self.output_transform(engine.state.output)
        self.noted.append(loss.item() if torch.is_tensor(loss) else loss)


def test_a_tracker_of_runs_gets_the_loss_of_each_step(tiny_phantom: Path, tmp_path: Path) -> None:
    """MONAI's settings for MLflow, with its own transform of the trainer's output, and a handler in its place."""
    settings = copy.deepcopy(DEFAULT_MLFLOW_SETTINGS)
    for engine in ("trainer", "validator", "evaluator"):
        settings["configs"][engine]["_target_"] = f"{__name__}.NoteOfScalars"
    assert "from_engine(['loss'], first=True)" in settings["configs"]["trainer"]["output_transform"]
    (tmp_path / "tracking.json").write_text(json.dumps(settings))
    NoteOfScalars.noted.clear()
    workflow = monai.bundle.ConfigWorkflow(
        config("gu2net", "train.json"),
        workflow_type="train",
        logging_file=False,
        tracking=str(tmp_path / "tracking.json"),
        datalist=str(tiny_phantom),
        output_dir=str(tmp_path / "output"),
        device="cpu",
        **TINY,
    )
    workflow.initialize()
    workflow.trainer.run()
    assert len(NoteOfScalars.noted) == 2
    assert all(isinstance(loss, float) and 0 < loss < float("inf") for loss in NoteOfScalars.noted)
    mean = float((tmp_path / "output" / "metrics.csv").read_text().splitlines()[1].split(",")[2])
    assert mean == pytest.approx(sum(NoteOfScalars.noted) / 2, rel=1e-5)
