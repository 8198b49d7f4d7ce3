# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Models of volumes: their cards, checkpoints, new domains and ensembles."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from monai_gu2net.data import Domain
from monai_gu2net.networks import (
    Ensemble,
    GU2Net,
    ModelCard,
    domains_from,
    keep_domains,
    load_ensemble,
    load_model,
    ready_to_train,
    save_model,
    start_from,
)
from monai_gu2net.networks.nets import DomainNetwork

SKULL = Domain("skull", ("nasion", "bregma"), (16, 20, 12), orientation="LPS", target_spacing=(0.5, 0.5, 1.0))
BODY = Domain("body", ("tip",), (16, 16, 16))
FLAT = Domain("flat", ("sella",), (24, 16))
OPTIONS = {"features": [4, 8], "global_features": 8, "dilations": [1, 2], "prior": 1e-2}
IMAGE = torch.linspace(-1, 1, 16 * 20 * 12).reshape(1, 1, 16, 20, 12).sin()


def card_of(*domains: Domain) -> ModelCard:
    return ModelCard({domain.name: domain for domain in domains}, {"name": "GU2Net", "options": OPTIONS})


@pytest.fixture
def trained(tmp_path: Path) -> tuple[Path, DomainNetwork]:
    """A checkpoint of two domains of volumes with statistics of their own, and its network."""
    torch.manual_seed(0)
    card = card_of(SKULL, BODY)
    model = card.build_network()
    for name in ("skull", "body"):
        model(torch.randn(2, 1, 16, 20, 12), name)
    return save_model(tmp_path / "model.pt", model.eval(), card), model


def test_a_checkpoint_of_volumes_is_read_back_with_its_weights_orientation_and_spacing(
    trained: tuple[Path, DomainNetwork],
) -> None:
    network, card = load_model(trained[0])
    assert card.domains == {"skull": SKULL, "body": BODY}
    assert (card.spatial_dims, network.spatial_dims) == (3, 3)
    for name in card.domains:
        torch.testing.assert_close(network(IMAGE, name), trained[1](IMAGE, name), rtol=0, atol=0)


def test_the_network_of_a_bundles_training_gets_the_three_axes_of_the_model() -> None:
    definition = {"_target_": "monai_gu2net.networks.UShapedNet", "spatial_dims": 2, "in_channels": 1}
    config = card_of(SKULL).network_config(definition)
    assert config["spatial_dims"] == 3
    assert config["_target_"] == "monai_gu2net.networks.GU2Net"


def test_radiographs_and_volumes_in_one_network_are_refused(trained: tuple[Path, DomainNetwork]) -> None:
    message = r"Domain 'flat' must be of volumes \(3 axes\), as the network and its other domains are"
    with pytest.raises(ValueError, match=message):
        card_of(SKULL, FLAT).build_network()
    with pytest.raises(ValueError, match=r"Domain 'skull' must be of radiographs \(2 axes\)"):
        domains_from(None, {"flat": FLAT, "skull": SKULL})
    with pytest.raises(ValueError, match=message):
        domains_from(trained[0], {"flat": FLAT})


def test_a_network_of_radiographs_does_not_start_from_one_of_volumes(trained: tuple[Path, DomainNetwork]) -> None:
    flat = GU2Net(2, 1, {"flat": 1}, **OPTIONS)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"must take images of 3 axes, as that of '.*model\.pt'; got one of 2"):
        start_from(flat, trained[0])


def test_weights_of_volumes_are_refused_by_a_network_of_radiographs(trained: tuple[Path, DomainNetwork]) -> None:
    flat = GU2Net(2, 1, {"skull": 2, "body": 1}, **OPTIONS)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="must be of a network for images of 2 axes; got one of 3"):
        flat.load_state_dict(trained[1].state_dict())


def test_a_new_domain_of_volumes_leaves_what_the_others_find(trained: tuple[Path, DomainNetwork]) -> None:
    jaw = Domain("jaw", ("left", "right", "middle"), (16, 16, 16))
    network = start_from(card_of(SKULL, BODY, jaw).build_network(), trained[0]).eval()
    for name in ("skull", "body"):
        torch.testing.assert_close(network(IMAGE, name), trained[1](IMAGE, name), rtol=0, atol=0)
    assert network(IMAGE, "jaw").shape == (1, 3, 16, 20, 12)


def test_a_kept_domain_of_volumes_finds_what_it_did(trained: tuple[Path, DomainNetwork]) -> None:
    kept, card = keep_domains(trained[0], ["body"])
    assert list(card.domains) == ["body"]
    torch.testing.assert_close(kept(IMAGE, "body"), trained[1](IMAGE, "body"), rtol=0, atol=0)


def test_one_domain_taken_out_finds_what_the_whole_does(trained: tuple[Path, DomainNetwork]) -> None:
    torch.testing.assert_close(trained[1].specialize("skull")(IMAGE), trained[1](IMAGE, "skull"), rtol=1e-4, atol=1e-4)


def test_an_ensemble_gives_the_mean_of_the_heatmaps(trained: tuple[Path, DomainNetwork], tmp_path: Path) -> None:
    card = card_of(SKULL, BODY)
    other = card.build_network().eval()
    network, _ = load_ensemble([trained[0], save_model(tmp_path / "other.pt", other, card)])
    assert isinstance(network, Ensemble)
    mean = (trained[1](IMAGE, "skull").sigmoid() + other(IMAGE, "skull").sigmoid()) / 2
    torch.testing.assert_close(network(IMAGE, "skull").sigmoid(), mean, rtol=1e-4, atol=1e-6)


def test_models_of_radiographs_and_of_volumes_make_no_ensemble(
    trained: tuple[Path, DomainNetwork], tmp_path: Path
) -> None:
    flat = card_of(*(replace(domain, size=(16, 16), orientation=None, target_spacing=None) for domain in (SKULL, BODY)))
    with pytest.raises(
        ValueError,
        match=r"same domains, landmarks and input; .* differs .* \['size of skull', .* 'orientation of body'\]",
    ):
        load_ensemble([trained[0], save_model(tmp_path / "flat.pt", flat.build_network(), flat)])


@pytest.mark.parametrize("grad_checkpointing", [False, True])
def test_a_network_of_volumes_that_is_made_ready_takes_a_step(grad_checkpointing: bool) -> None:
    torch.manual_seed(0)
    network = card_of(SKULL).build_network()
    before = {name: value.clone() for name, value in network.state_dict().items() if value.is_floating_point()}
    assert ready_to_train(network, device="cpu", grad_checkpointing=grad_checkpointing) is network
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    network.train()(IMAGE, "skull").square().mean().backward()
    optimizer.step()
    assert all(parameter.grad is not None for parameter in network.parameters())
    moved = [name for name, value in network.state_dict().items() if name in before and not value.equal(before[name])]
    assert any("pointwise" in name for name in moved)
    assert any("channelwise" in name for name in moved)


POSED = replace(SKULL, landmarks=("a", "b", "c"), mean_shape=((0.0, 0, 0), (4.0, 0, 0), (0, 3.0, 1.0)))


def test_a_model_keeps_the_pose_that_it_has_learned_whatever_that_of_further_data_is(tmp_path: Path) -> None:
    card = card_of(POSED)
    saved = save_model(tmp_path / "m.pt", card.build_network(), card)
    turned = replace(POSED, mean_shape=((0.0, 0, 0), (0.0, 4, 0), (-3.0, 0, 1.0)))
    assert domains_from(saved, {"skull": turned})["skull"].mean_shape == POSED.mean_shape
    assert domains_from(saved, {"skull": replace(POSED, mean_shape=None)})["skull"].mean_shape == POSED.mean_shape
    assert domains_from(saved, {"skull": POSED.resized((32, 32, 32))})["skull"].size == (32, 32, 32)


def test_further_data_must_be_turned_as_the_model_has_learned(tmp_path: Path) -> None:
    card = card_of(POSED)
    saved = save_model(tmp_path / "m.pt", card.build_network(), card)
    with pytest.raises(ValueError, match=r"'skull': the orientation must be that of '.*m.pt', LPS; got RAS"):
        domains_from(saved, {"skull": replace(POSED, orientation="RAS")})


def test_models_whose_mean_shapes_lie_alike_make_an_ensemble_and_others_do_not(tmp_path: Path) -> None:
    alike = replace(POSED, mean_shape=((0.1, 0, 0), (4.2, 0.1, 0), (0, 2.9, 1.0)))
    turned = replace(POSED, mean_shape=((0.0, 0, 0), (0.0, 4, 0), (-3.0, 0, 1.0)))
    first, second, third = (
        save_model(tmp_path / f"{name}.pt", card_of(domain).build_network(), card_of(domain))
        for name, domain in (("first", POSED), ("alike", alike), ("turned", turned))
    )
    assert isinstance(load_ensemble([first, second])[0], Ensemble)
    with pytest.raises(ValueError, match=r"turned.pt' differs from .*first.pt' in \['mean_shape of skull'\]"):
        load_ensemble([first, third])
