# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch

from monai_gu2net.data import Domain
from monai_gu2net.networks import Ensemble, GU2Net, ModelCard, load_ensemble, load_model, save_model

DOMAINS = {"head": Domain("head", ("sella", "nasion"), (32, 48)), "hand": Domain("hand", ("a", "b", "c"), (32, 32))}


def make(counts: Mapping[str, int] | None = None) -> GU2Net:
    counts = counts or {name: len(domain.landmarks) for name, domain in DOMAINS.items()}
    return GU2Net(2, 1, counts, features=(4, 8), global_features=4, dilations=(1, 2)).eval()


def save(path: Path, domains: Mapping[str, Domain] = DOMAINS) -> Path:
    network = make({name: len(domain.landmarks) for name, domain in domains.items()})
    return save_model(path, network, ModelCard(dict(domains), network.description, provenance={"data": "phantom"}))


def test_equal_networks_together_answer_like_one() -> None:
    network, image = make(), torch.randn(1, 1, 32, 48)
    together = Ensemble([network, copy.deepcopy(network), copy.deepcopy(network)])
    torch.testing.assert_close(together(image, "hand"), network(image, "hand"))
    assert torch.equal(Ensemble([network])(image, "head"), network(image, "head"))


def test_different_networks_answer_with_the_mean_of_their_heatmaps() -> None:
    first, second, image = make(), make(), torch.randn(1, 1, 32, 48)
    expected = (first(image, "head").sigmoid() + second(image, "head").sigmoid()) / 2
    torch.testing.assert_close(Ensemble([first, second])(image, "head").sigmoid(), expected)


@pytest.mark.parametrize("other", [{"head": 2}, {"hand": 3, "head": 2}, {"head": 2, "hand": 4}])
def test_networks_of_other_domains_are_refused(other: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="networks must be at least one, all with the same domains in one order"):
        Ensemble([make(), make(other)])


def test_several_checkpoints_are_one_network_that_says_what_it_is_of(tmp_path: Path) -> None:
    paths = [save(tmp_path / "a.pt"), save(tmp_path / "b.pt")]
    network, card = load_ensemble(paths)
    assert not network.training
    image = torch.randn(1, 1, 32, 48)
    expected = sum(load_model(path)[0](image, "head").sigmoid() for path in paths) / 2
    torch.testing.assert_close(network(image, "head").sigmoid(), expected)
    assert card.provenance == {"data": "phantom", "ensemble": f"{paths[0]}, {paths[1]}"}


def test_one_checkpoint_is_its_network(tmp_path: Path) -> None:
    network, card = load_ensemble([save(tmp_path / "a.pt")])
    assert isinstance(network, GU2Net)
    assert card == load_model(tmp_path / "a.pt")[1]


@pytest.mark.parametrize(
    ("other", "what"),
    [
        ({"head": DOMAINS["head"]}, r"\['existence of hand'\]"),
        ({**DOMAINS, "head": Domain("head", ("sella", "porion"), (32, 48))}, r"\['landmarks of head'\]"),
        ({**DOMAINS, "hand": DOMAINS["hand"].resized((64, 64))}, r"\['size of hand'\]"),
        (dict(reversed(DOMAINS.items())), "the order of domains"),
    ],
    ids=["domain", "landmark", "size", "order"],
)
def test_checkpoints_of_other_domains_are_refused(tmp_path: Path, other: dict[str, Domain], what: str) -> None:
    paths = [save(tmp_path / "a.pt"), save(tmp_path / "b.pt", other)]
    with pytest.raises(ValueError, match=f"'.*b.pt' differs from '.*a.pt' in {what}"):
        load_ensemble(paths)


def test_no_checkpoint_is_refused() -> None:
    with pytest.raises(ValueError, match="paths must be at least one checkpoint"):
        load_ensemble([])
