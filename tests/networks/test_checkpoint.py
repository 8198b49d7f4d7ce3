# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import math
import re
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from monai.networks.utils import copy_model_state

from monai_gu2net.data import Domain
from monai_gu2net.data.domain import ReferenceLength
from monai_gu2net.networks import (
    GU2Net,
    ModelCard,
    card_of,
    first_checkpoint,
    keep_domains,
    load_ensemble,
    load_model,
    replace_checkpoint,
    save_calibration,
    save_model,
    start_from,
)
from monai_gu2net.networks.card_state import without_card

DOMAINS = {
    "head": Domain("head", ("sella", "nasion"), (32, 48), spacing=(0.1, 0.2)),
    "hand": Domain("hand", ("a", "b", "c"), (32, 32), reference=ReferenceLength("a", "c", 50.0), mirror=(("a", "b"),)),
}
OPTIONS = {"features": (4, 8), "global_features": 4, "dilations": (1, 2)}


def make_network(domains: dict[str, Domain] = DOMAINS, **options: object) -> GU2Net:
    counts = {name: len(domain.landmarks) for name, domain in domains.items()}
    return GU2Net(2, 1, counts, **{**OPTIONS, **options}).eval()  # type: ignore[arg-type]


def make_card(network: GU2Net, domains: dict[str, Domain] = DOMAINS) -> ModelCard:
    return ModelCard(dict(domains), network.description, sigma=2.5, provenance={"data": "phantom", "epoch": 3})


@pytest.fixture
def network() -> GU2Net:
    return make_network()


@pytest.fixture
def saved(tmp_path: Path, network: GU2Net) -> Path:
    return save_model(tmp_path / "folder" / "model.pt", network, make_card(network))


@pytest.mark.parametrize("domain", ["head", "hand"])
def test_a_loaded_model_finds_what_the_saved_one_did(saved: Path, network: GU2Net, domain: str) -> None:
    image = torch.randn(1, 1, 32, 48)
    loaded, _ = load_model(saved)
    assert not loaded.training
    assert torch.equal(loaded(image, domain), network(image, domain))


def test_a_card_comes_back_as_it_was(saved: Path, network: GU2Net) -> None:
    card = ModelCard.load(saved)
    assert card == make_card(network)
    assert list(card.domains) == ["head", "hand"]
    assert load_model(saved)[1] == card


def test_the_default_domain_is_chosen_on_loading(saved: Path) -> None:
    image = torch.randn(1, 1, 32, 32)
    loaded, _ = load_model(saved, default_domain="hand")
    assert torch.equal(loaded(image), loaded(image, "hand"))


def test_a_checkpoint_is_plain_data_that_says_its_versions(saved: Path) -> None:
    state = torch.load(saved, weights_only=True)
    packed = state.pop("card._extra_state").numpy().tobytes()
    assert all(isinstance(value, torch.Tensor) for value in state.values())
    versions = json.loads(zlib.decompressobj().decompress(packed))["versions"]
    assert set(versions) == {"monai_gu2net", "monai", "torch", "python"}
    assert versions["torch"] == str(torch.__version__)


def test_half_precision_halves_the_file_and_loads_as_float32(tmp_path: Path) -> None:
    network = make_network(features=(64, 128, 256))
    card = make_card(network)
    full = save_model(tmp_path / "full.pt", network, card)
    half = save_model(tmp_path / "half.pt", network, card, half=True)
    assert half.stat().st_size < 0.6 * full.stat().st_size
    loaded, _ = load_model(half)
    for name, value in without_card(loaded.state_dict()).items():
        assert value.dtype == network.state_dict()[name].dtype
        # 11 significant bits, and 2**-24 between the smallest numbers
        torch.testing.assert_close(value, network.state_dict()[name], rtol=2.0**-11, atol=2.0**-24)


def test_saving_leaves_the_network_and_no_other_file(tmp_path: Path, network: GU2Net) -> None:
    before = {name: value.clone() for name, value in network.state_dict().items()}
    save_model(tmp_path / "model.pt", network, make_card(network), half=True)
    after = network.state_dict()
    assert all(after[name].dtype == value.dtype and torch.equal(after[name], value) for name, value in before.items())
    assert [path.name for path in tmp_path.iterdir()] == ["model.pt"]


def test_an_interrupted_write_leaves_the_earlier_file(
    saved: Path, network: GU2Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = saved.read_bytes()

    def write_some(_: object, path: Path) -> None:
        path.write_bytes(b"half a file")
        raise OSError("no space left on device")

    monkeypatch.setattr(torch, "save", write_some)
    with pytest.raises(OSError, match="no space left"):
        save_model(saved, network, make_card(network))
    assert saved.read_bytes() == whole


RENAMED = {**DOMAINS, "head": Domain("head", ("sella", "porion"), (32, 48), spacing=(0.1, 0.2))}
FEWER = {**DOMAINS, "head": Domain("head", ("sella",), (32, 48))}


@pytest.mark.parametrize(
    ("domains", "options", "message"),
    [
        ({"head": DOMAINS["head"]}, {}, r"domains must be \['head'\]; got \['head', 'hand'\]"),
        (dict(reversed(DOMAINS.items())), {}, r"domains must be \['hand', 'head'\]; got \['head', 'hand'\]"),
        (RENAMED, {}, r"Domain 'head'.*they differ.*\[\('porion', 'nasion'\)\]"),
        (FEWER, {}, r"Domain 'head'.*they differ.*\('sella', 'nasion'\)"),
        (DOMAINS, {"global_features": 8}, r"network must be .*'global_features': 8.*got .*'global_features': 4"),
    ],
)
def test_a_checkpoint_of_another_make_is_not_resumed(
    network: GU2Net, domains: dict[str, Domain], options: dict[str, int], message: str
) -> None:
    ours = make_card(make_network(domains, **options), domains)
    with pytest.raises(ValueError, match=message):
        ours.load_state_dict(make_card(network).state_dict())


def test_a_checkpoint_of_the_same_make_is_resumed_at_any_spacing(network: GU2Net) -> None:
    elsewhere = {**DOMAINS, "head": replace(DOMAINS["head"], spacing=(0.3, 0.3))}
    ours = make_card(network, elsewhere)
    ours.load_state_dict(make_card(network).state_dict())
    assert ours.domains == elsewhere


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": (64, 64)}, r"Domain 'head': input size and channels .*, \(\(32, 48\), 1\); got \(\(64, 64\), 1\)"),
        ({"in_channels": 3}, r"Domain 'head': input size and channels .*; got \(\(32, 48\), 3\)"),
    ],
)
def test_a_checkpoint_of_other_inputs_is_not_resumed(network: GU2Net, change: dict[str, Any], message: str) -> None:
    ours = make_card(network, {**DOMAINS, "head": replace(DOMAINS["head"], **change)})
    with pytest.raises(ValueError, match=message):
        ours.load_state_dict(make_card(network).state_dict())


def test_a_checkpoint_of_another_sigma_is_not_resumed_though_the_prior_differs_too(network: GU2Net) -> None:
    ours = replace(make_card(make_network(prior=1e-2)), sigma=3.0)
    with pytest.raises(ValueError, match=r"sigma must be the checkpoint's, 2\.5; got 3\.0"):
        ours.load_state_dict(make_card(network).state_dict())


def test_a_missing_file_is_refused_by_its_path(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"must be a file; got '.*none\.pt'"):
        load_model(tmp_path / "none.pt")


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:1000])


def replace_by_text(path: Path) -> None:
    path.write_text("no checkpoint")


def replace_by_an_object(path: Path) -> None:
    torch.save({"model": Path("code"), "card": {}}, path)


def replace_by_weights(path: Path) -> None:
    torch.save({"weight": torch.zeros(1)}, path)


def replace_by_a_list(path: Path) -> None:
    torch.save([1], path)


def lose_a_weight(path: Path) -> None:
    state = torch.load(path, weights_only=True)
    state.popitem()
    torch.save(state, path)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (truncate, "must be a checkpoint; got .* damaged or of another kind"),
        (replace_by_text, "must be a checkpoint; got .* damaged or of another kind"),
        (replace_by_an_object, "must be a checkpoint; got UnpicklingError"),
        (replace_by_weights, r"must hold the weights of a model and its card; got \['weight'\]"),
        (replace_by_a_list, "must hold the weights of a model and its card; got list"),
        (lose_a_weight, "the weights must fit the card; (.|\n)*Missing key"),
    ],
)
def test_what_is_no_checkpoint_is_refused(saved: Path, damage: Callable[[Path], None], message: str) -> None:
    damage(saved)
    with pytest.raises(ValueError, match=message):
        load_model(saved)


def test_the_first_checkpoint_there_is_taken_else_the_last_named(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a.pt", "b.pt", "c.pt")]
    assert first_checkpoint(paths) == paths[2]
    paths[1].touch()
    assert first_checkpoint([str(path) for path in paths]) == paths[1]


def test_without_a_checkpoint_the_card_is_of_the_declared_domains(saved: Path, network: GU2Net) -> None:
    declared = {"chest": {"landmarks": ["x", "y"], "size": [64, 32]}}
    card = card_of(saved.with_name("none.pt"), declared)
    assert card.domains == {"chest": Domain("chest", ("x", "y"), (64, 32))}
    assert card.build_network().out_channels == [2]
    assert card_of(saved, declared) == make_card(network)


def test_a_calibration_comes_back_and_one_of_another_domain_stays(saved: Path, network: GU2Net) -> None:
    save_calibration(saved, {"head": {"quantiles": {"0.9": 2.5}}})
    save_calibration(saved, {"hand": {"quantiles": {"0.9": 3.0}}})
    expected = {"head": {"quantiles": {"0.9": 2.5}}, "hand": {"quantiles": {"0.9": 3.0}}}
    assert ModelCard.load(saved).calibration == expected
    card = make_card(network)
    card.calibration = expected
    assert ModelCard.load(saved) == card


def test_a_calibrated_model_can_be_another_file(saved: Path, network: GU2Net, tmp_path: Path) -> None:
    written = save_calibration(saved, {"head": {}}, output=tmp_path / "new" / "model.pt")
    assert ModelCard.load(written).calibration == {"head": {}}
    assert ModelCard.load(saved) == make_card(network)


def test_half_precision_stays_half_when_a_model_is_calibrated(tmp_path: Path, network: GU2Net) -> None:
    path = save_model(tmp_path / "half.pt", network, make_card(network), half=True)
    save_calibration(path, {"head": {}})
    weights = torch.load(path, weights_only=True).values()
    assert {value.dtype for value in weights if value.is_floating_point()} == {torch.float16}


def test_a_domain_the_model_lacks_is_not_calibrated(saved: Path) -> None:
    with pytest.raises(ValueError, match=r"calibration must be of the domains of .*; got \['knee'\]"):
        save_calibration(saved, {"knee": {}})


def write_as_version_0_1_0(path: Path, network: GU2Net) -> None:
    """Weights and card side by side, and networks that had no part for their card."""
    torch.save({"model": without_card(network.state_dict()), "card": make_card(network).state_dict()}, path)


def test_a_checkpoint_of_an_earlier_version_loads_and_is_written_as_a_new_one(saved: Path, network: GU2Net) -> None:
    new = torch.load(saved, weights_only=True)
    write_as_version_0_1_0(saved, network)
    loaded, card = load_model(saved)
    assert card == make_card(network)
    image = torch.randn(1, 1, 32, 48)
    assert torch.equal(loaded(image, "hand"), network(image, "hand"))
    save_calibration(saved, {})
    again = torch.load(saved, weights_only=True)
    assert list(again) == list(new)
    assert all(torch.equal(again[name], value) for name, value in new.items())


def test_a_checkpoint_from_before_calibration_loads(saved: Path, network: GU2Net) -> None:
    write_as_version_0_1_0(saved, network)
    state = torch.load(saved, weights_only=True)
    del state["card"]["calibration"]
    torch.save(state, saved)
    assert ModelCard.load(saved) == make_card(network)
    save_calibration(saved, {"head": {}})
    assert ModelCard.load(saved).calibration == {"head": {}}


def test_a_checkpoint_takes_the_place_of_another_and_stays(saved: Path, network: GU2Net, tmp_path: Path) -> None:
    old = tmp_path / "models" / "model.pt"
    for _ in range(2):  # at first it is not there
        assert replace_checkpoint(old, by=saved) == old
    assert [path.name for path in old.parent.iterdir()] == ["model.pt"]
    assert load_model(old)[1] == load_model(saved)[1]
    weights = load_model(old)[0].state_dict()
    assert all(torch.equal(weights[name], value) for name, value in network.named_parameters())


def test_what_is_no_checkpoint_does_not_take_the_place_of_one(saved: Path, tmp_path: Path) -> None:
    before, foreign = saved.read_bytes(), tmp_path / "foreign.pt"
    torch.save({"weights": torch.ones(2)}, foreign)
    with pytest.raises(ValueError, match="must hold the weights of a model and its card"):
        replace_checkpoint(saved, by=foreign)
    with pytest.raises(FileNotFoundError, match="must be a file"):
        replace_checkpoint(saved, by=tmp_path / "none.pt")
    assert saved.read_bytes() == before


@pytest.mark.parametrize("half", [False, True])
def test_the_file_is_a_state_dict_that_loads_strictly_and_brings_its_card(
    tmp_path: Path, network: GU2Net, half: bool
) -> None:
    path = save_model(tmp_path / "model.pt", network, make_card(network), half=half)
    other = make_network()
    state = torch.load(path, weights_only=True)
    assert set(state) == set(other.state_dict())
    assert other.load_state_dict(state).missing_keys == []
    other.load_state_dict({name: value.half() for name, value in state.items()})  # the card too is a tensor
    for name, value in other.named_parameters():
        torch.testing.assert_close(value, network.get_parameter(name), rtol=2.0**-11, atol=2.0**-24)
    torch.save(other.state_dict(), path)
    assert ModelCard.load(path) == make_card(network)


def test_monais_copy_of_weights_takes_all_of_them_and_the_card(saved: Path, network: GU2Net) -> None:
    other = make_network()
    _, _, unchanged = copy_model_state(other, torch.load(saved, weights_only=True))
    assert unchanged == []
    assert all(torch.equal(other.get_parameter(name), value) for name, value in network.named_parameters())
    assert other.card is not None
    assert other.card.content == make_card(network).state_dict()


@pytest.mark.parametrize(
    ("domains", "options", "message"),
    [
        ({"head": DOMAINS["head"], "palm": DOMAINS["hand"]}, {}, r"'palm': 3}; got {'head': 2, 'hand': 3}"),
        (DOMAINS, {"global_features": 8}, r"'global_features': 8.*; got .*'global_features': 4"),
        (DOMAINS, {"branches": "local"}, r"'branches': 'local'.*; got .*'branches': 'both'"),
    ],
)
def test_weights_of_another_network_are_not_passed_over(
    saved: Path, domains: dict[str, Domain], options: dict[str, int], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        copy_model_state(make_network(domains, **options), torch.load(saved, weights_only=True))


def test_weights_of_other_landmarks_are_refused_by_a_network_with_a_card(saved: Path, network: GU2Net) -> None:
    other = make_card(network, RENAMED).build_network()
    with pytest.raises(ValueError, match=r"Domain 'head'.* \['sella', 'porion'\]; got \['sella', 'nasion'\]"):
        other.load_state_dict(torch.load(saved, weights_only=True))


def test_weights_without_a_card_load_and_are_no_checkpoint(saved: Path, network: GU2Net) -> None:
    loaded = load_model(saved)[0]
    loaded.load_state_dict(without_card(network.state_dict()))
    torch.save(loaded.state_dict(), saved)  # these are other weights than those of the card that it had
    with pytest.raises(ValueError, match="must hold the weights of a model and its card"):
        load_model(saved)


def test_a_scripted_network_and_a_domain_taken_out_are_without_card(saved: Path) -> None:
    network = load_model(saved)[0]
    scripted = torch.jit.script(network)
    image = torch.randn(1, 1, 32, 32)
    torch.testing.assert_close(scripted(image, 1), network(image, "hand"))
    assert not any("card" in name for name in [*scripted.state_dict(), *network.specialize("head").state_dict()])


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_no_checkpoint_with_weights_that_are_not_finite_is_written(saved: Path, network: GU2Net, value: float) -> None:
    before = saved.read_bytes()
    name, bias = next((name, each) for name, each in network.named_parameters() if name.endswith("bias"))
    bias.data[0] = value
    with pytest.raises(ValueError, match=rf"model\.pt: the weights .* must be finite; got .* in '{re.escape(name)}'"):
        save_model(saved, network, make_card(network))
    assert saved.read_bytes() == before


def test_a_weight_too_large_for_half_precision_is_not_written_in_it(tmp_path: Path, network: GU2Net) -> None:
    next(network.parameters()).data.fill_(1e5)
    with pytest.raises(ValueError, match="must be finite"):
        save_model(tmp_path / "half.pt", network, make_card(network), half=True)
    assert load_model(save_model(tmp_path / "full.pt", network, make_card(network)))


@pytest.mark.parametrize("old", [False, True])
def test_no_checkpoint_with_weights_that_are_not_finite_is_read(saved: Path, network: GU2Net, old: bool) -> None:
    if old:
        write_as_version_0_1_0(saved, network)
    state = torch.load(saved, weights_only=True)
    weights = state["model"] if old else state
    name = next(name for name in weights if name.endswith("running_var"))
    weights[name][-1] = math.nan
    torch.save(state, saved)
    message = rf"{re.escape(str(saved))}: the weights of a checkpoint must be finite; got .* in '{re.escape(name)}'"
    for read in (load_model, ModelCard.load, lambda path: start_from(make_network(), path)):
        with pytest.raises(ValueError, match=message):
            read(saved)
    for read in (lambda path: load_ensemble([path]), lambda path: keep_domains(path, ["head"])):
        with pytest.raises(ValueError, match=message):
            read(saved)
    for write in (lambda: save_calibration(saved, {}), lambda: replace_checkpoint(saved.with_name("b.pt"), by=saved)):
        with pytest.raises(ValueError, match=message):
            write()
    with pytest.raises(ValueError, match=rf"Weights must be finite; got .* in '{re.escape(name)}'"):
        make_network().load_state_dict(weights)


def test_a_damaged_card_is_refused_by_the_file(saved: Path) -> None:
    state = torch.load(saved, weights_only=True)
    state["card._extra_state"][5:50] = 7
    torch.save(state, saved)
    with pytest.raises(ValueError, match=r"model\.pt: The card of the weights must be readable"):
        load_model(saved)


def test_a_card_longer_than_a_block_comes_back(saved: Path, network: GU2Net) -> None:
    random = torch.randint(2**31, (20000,)).tolist()  # which no packing makes short
    save_calibration(saved, {"head": {"quantiles": random}})
    assert torch.load(saved, weights_only=True)["card._extra_state"].shape == (2 * 65536,)
    assert ModelCard.load(saved).calibration["head"]["quantiles"] == random
    assert load_model(saved)[0].card


@pytest.mark.parametrize(
    ("described", "message"),
    [
        ({"name": "Another", "options": {}}, r"model.pt: A model's network must be among .*; got 'Another'"),
        (
            {"name": "GU2Net", "options": {"depth": 3}},
            r"model.pt: The options .* must be those of GU2Net; got .*'depth'",
        ),
    ],
)
def test_a_network_of_another_version_is_told_with_the_file(
    saved: Path, described: dict[str, Any], message: str
) -> None:
    state = torch.load(saved, weights_only=True)
    weights = without_card(state)
    card = ModelCard.load(saved).state_dict() | {"network": described}
    torch.save({"model": weights, "card": card}, saved)
    with pytest.raises(ValueError, match=message):
        load_model(saved)


def test_an_old_checkpoint_without_weights_is_refused(saved: Path) -> None:
    torch.save({"model": None, "card": {}}, saved)
    with pytest.raises(ValueError, match="must hold the weights of a model and its card"):
        load_model(saved)
