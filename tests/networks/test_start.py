# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from monai_gu2net.data import Domain
from monai_gu2net.losses import HeatmapLoss
from monai_gu2net.networks import (
    GlobalNet,
    GU2Net,
    ModelCard,
    UShapedNet,
    calibration_from,
    domains_from,
    keep_domains,
    load_model,
    parameter_groups,
    save_calibration,
    save_model,
    start_from,
)
from monai_gu2net.networks.nets import DomainNetwork

HEAD = Domain("head", ("sella", "nasion"), (24, 16))
HAND = Domain("hand", ("tip",), (16, 16))
KNEE = Domain("knee", ("medial", "lateral"), (16, 24))
IMAGE = torch.linspace(-1, 1, 24 * 16).reshape(1, 1, 24, 16).sin()


def network(*domains: Domain, prior: float = 1e-2) -> GU2Net:
    counts = {domain.name: len(domain.landmarks) for domain in domains}
    return GU2Net(2, 1, counts, features=(4, 8), global_features=8, dilations=(1, 2), prior=prior)


@pytest.fixture
def trained(tmp_path: Path) -> tuple[Path, GU2Net]:
    """A checkpoint of head and hand with statistics of their own, and its network."""
    model = network(HEAD, HAND)
    for name in ("head", "hand"):
        model(torch.randn(4, 1, 24, 16), name)
    model.eval()
    card = ModelCard({"head": HEAD, "hand": HAND}, model.description)
    return save_model(tmp_path / "model.pt", model, card), model


def test_known_domains_give_the_checkpoints_heatmaps(trained: tuple[Path, GU2Net]) -> None:
    path, model = trained
    started = start_from(network(KNEE, HAND, HEAD, prior=5e-3), path).eval()  # in another order, beside a new one
    for name in ("head", "hand"):
        assert torch.equal(started(IMAGE, name), model(IMAGE, name))


def test_a_new_domain_starts_as_a_copy_of_the_one_it_is_like(trained: tuple[Path, GU2Net]) -> None:
    path, model = trained
    started = start_from(network(HEAD, HAND, KNEE), path, like="hand").eval()
    assert isinstance(started, GU2Net)
    assert started.local_net is not None
    assert model.local_net is not None
    features = started.local_net.body(started.local_net.entry(IMAGE, 2), 2)
    torch.testing.assert_close(features, model.local_net.body(model.local_net.entry(IMAGE, 1), 1))
    # the prior of a fresh network, not what another domain's last convolutions learned
    assert started.local_net.exit.domains[2].bias.tolist() == pytest.approx([-2.1972] * 2, abs=1e-3)


def test_frozen_shared_weights_leave_the_other_domains_as_they_were(trained: tuple[Path, GU2Net]) -> None:
    path, model = trained
    started = start_from(network(HEAD, HAND, KNEE), path)
    optimizer = torch.optim.AdamW(parameter_groups(started, learning_rate=0.1, shared_rate=0.0), weight_decay=0.1)
    before = started.eval()(IMAGE, "knee").detach()
    train(started, optimizer, "knee")
    started.eval()
    assert torch.equal(started(IMAGE, "head"), model(IMAGE, "head"))
    assert torch.equal(started(IMAGE, "hand"), model(IMAGE, "hand"))
    assert (started(IMAGE, "knee") - before).abs().max() > 0.1


def gu2net(counts: dict[str, int]) -> DomainNetwork:
    return GU2Net(2, 1, counts, features=(4, 8), global_features=8, dilations=(1, 2))


def local_branch(counts: dict[str, int]) -> DomainNetwork:
    return GU2Net(2, 1, counts, features=(4, 8), branches="local")


def global_branch(counts: dict[str, int]) -> DomainNetwork:
    return GU2Net(2, 1, counts, global_features=8, dilations=(1, 2), branches="global")


def separable(counts: dict[str, int]) -> DomainNetwork:
    return UShapedNet(2, 1, counts, features=(4, 8), sharing="separable")


def shared(counts: dict[str, int]) -> DomainNetwork:
    return UShapedNet(2, 1, counts, features=(4, 8), sharing="shared")


def per_domain(counts: dict[str, int]) -> DomainNetwork:
    return UShapedNet(2, 1, counts, features=(4, 8), sharing="per_domain")


def global_net(counts: dict[str, int]) -> DomainNetwork:
    return GlobalNet(2, 1, counts, features=8, dilations=(1, 2))


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("build", [gu2net, local_branch, global_branch, separable, shared, per_domain, global_net])
def test_a_new_domain_leaves_the_logits_of_the_others_of_every_network(
    build: Callable[[dict[str, int]], DomainNetwork], wrapped: bool, tmp_path: Path
) -> None:
    """With running statistics among them: none of what domains share moves."""
    known = build({"head": 2, "hand": 1})
    for name in ("head", "hand"):
        known(torch.randn(4, 1, 24, 16) + 1, name)
    save_model(tmp_path / "model.pt", known.eval(), ModelCard({"head": HEAD, "hand": HAND}, known.description))
    model = start_from(build({"head": 2, "hand": 1, "knee": 2}), tmp_path / "model.pt")
    groups = parameter_groups(torch.nn.Sequential(model) if wrapped else model, learning_rate=0.1, shared_rate=0.0)
    before = model.eval()(IMAGE, "knee").detach()
    train(model, torch.optim.AdamW(groups, weight_decay=0.1), "knee")
    model.eval()
    assert torch.equal(model(IMAGE, "head"), known(IMAGE, "head"))
    assert torch.equal(model(IMAGE, "hand"), known(IMAGE, "hand"))
    assert (model(IMAGE, "knee") - before).abs().max() > 0.01


def test_statistics_are_frozen_also_where_training_mode_was_chosen_before() -> None:
    model = shared({"head": 2, "hand": 1}).train()
    parameter_groups(model, learning_rate=0.1, shared_rate=0.0)
    before = {name: value.clone() for name, value in model.named_buffers()}
    assert before
    model(torch.randn(4, 1, 24, 16), "head")
    assert all(torch.equal(value, before[name]) for name, value in model.named_buffers())


@pytest.mark.parametrize("rate", [0.1, 1.0])
def test_statistics_of_what_is_trained_move(rate: float) -> None:
    model = shared({"head": 2, "hand": 1})
    parameter_groups(model, learning_rate=0.1, shared_rate=rate)
    model.train()(torch.randn(4, 1, 24, 16), "head")
    assert all(value > 0 for name, value in model.named_buffers() if name.endswith("num_batches_tracked"))


@pytest.mark.parametrize("rate", [0.01, 1.0])
def test_shared_weights_move_in_proportion_to_their_rate(trained: tuple[Path, GU2Net], rate: float) -> None:
    started = start_from(network(HEAD, HAND), trained[0])
    weight = started.get_parameter("local_net.body.encoder.0.first.pointwise.weight")
    before = weight.detach().clone()
    # Adam's first step is the learning rate long, whatever the gradient
    train(started, torch.optim.Adam(parameter_groups(started, learning_rate=0.1, shared_rate=rate)), "head", steps=1)
    assert (weight - before).abs().max().item() == pytest.approx(0.1 * rate, rel=1e-3)


def train(model: DomainNetwork, optimizer: torch.optim.Optimizer, domain: str, *, steps: int = 3) -> None:
    model.train()
    for _ in range(steps):
        optimizer.zero_grad(set_to_none=True)
        HeatmapLoss(sigma=1.0)(
            model(IMAGE.repeat(2, 1, 1, 1), domain), torch.tensor([[[3.0, 4.0], [8.0, 9.0]]] * 2)
        ).backward()
        optimizer.step()


def test_every_parameter_is_in_one_group(trained: tuple[Path, GU2Net]) -> None:
    model = network(HEAD, HAND)
    grouped = [id(p) for group in parameter_groups(model, learning_rate=1.0) for p in group["params"]]
    assert sorted(grouped) == sorted(map(id, model.parameters()))


def test_a_rate_that_is_no_share_is_refused() -> None:
    with pytest.raises(ValueError, match="shared_rate must lie between 0 and 1; got 2"):
        parameter_groups(network(HEAD), learning_rate=1.0, shared_rate=2)


def test_the_checkpoints_domains_come_first_and_the_datas_size_counts(trained: tuple[Path, GU2Net]) -> None:
    larger = HAND.resized((32, 32))
    found = domains_from(trained[0], {"knee": KNEE, "hand": larger})
    assert list(found.items()) == [("head", HEAD), ("hand", larger), ("knee", KNEE)]


def test_without_a_checkpoint_everything_is_as_given() -> None:
    model = network(KNEE)
    assert domains_from(None, {"knee": KNEE}) == {"knee": KNEE}
    assert start_from(model, None) is model


def test_the_calibration_of_domains_that_cannot_change_holds(trained: tuple[Path, GU2Net]) -> None:
    path, _ = trained
    save_calibration(path, {"head": {"quantiles": 1}, "hand": {"quantiles": 2}})
    assert calibration_from(path, ["knee"], shared_rate=0) == {"head": {"quantiles": 1}, "hand": {"quantiles": 2}}
    assert calibration_from(path, ["hand", "knee"], shared_rate=0) == {"head": {"quantiles": 1}}
    assert calibration_from(path, ["knee"], shared_rate=0.01) == {}
    assert calibration_from(None, ["knee"], shared_rate=0) == {}


def test_a_domain_of_other_landmarks_is_refused(trained: tuple[Path, GU2Net]) -> None:
    with pytest.raises(ValueError, match=r"Domain 'hand': the landmarks must be .*\['tip'\]; got \['root'\]"):
        domains_from(trained[0], {"hand": Domain("hand", ("root",), (16, 16))})


def test_a_network_of_other_options_is_refused(trained: tuple[Path, GU2Net]) -> None:
    other = GU2Net(2, 1, {"head": 2}, features=(4, 8), global_features=8, dilations=(1,))
    with pytest.raises(ValueError, match=r"The network must be as that of .*Set the same options"):
        start_from(other, trained[0])


def test_a_new_domain_like_an_unknown_one_is_refused(trained: tuple[Path, GU2Net]) -> None:
    with pytest.raises(ValueError, match=r"like must be a domain of .*, \['head', 'hand'\]; got 'foot'"):
        start_from(network(KNEE), trained[0], like="foot")


def test_domains_that_are_kept_find_what_they_did_in_the_whole_model(
    trained: tuple[Path, GU2Net], tmp_path: Path
) -> None:
    path, model = trained
    save_calibration(path, {"head": {"quantiles": {}}, "hand": {"quantiles": {}}})
    kept, card = keep_domains(path, ["hand"])
    again, saved = load_model(save_model(tmp_path / "hand.pt", kept, card))
    assert list(saved.domains) == list(saved.calibration) == ["hand"]
    assert torch.equal(kept(IMAGE, "hand"), model(IMAGE, "hand"))
    assert torch.equal(again(IMAGE), model(IMAGE, "hand"))
    assert (tmp_path / "hand.pt").stat().st_size < path.stat().st_size


def test_a_domain_that_the_model_lacks_is_not_kept(trained: tuple[Path, GU2Net]) -> None:
    with pytest.raises(ValueError, match=r"names must be among the model's domains \['head', 'hand'\]; got \['knee'\]"):
        keep_domains(trained[0], ["knee"])
    with pytest.raises(ValueError, match=r"got \[\]"):
        keep_domains(trained[0], [])
