# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What may differ from domain to domain in one network: how far its global network sees, and in cells of which size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from monai_gu2net.data import Domain
from monai_gu2net.networks import (
    GlobalNet,
    GU2Net,
    ModelCard,
    keep_domains,
    load_model,
    reach_from,
    save_model,
    start_from,
)

COUNTS = {"head": 3, "spine": 2}
HEAD = Domain("head", ("a", "b", "c"), (32, 24))
SPINE = Domain("spine", ("a", "b"), (32, 48))
KNEE = Domain("knee", ("a",), (32, 32))
OPTIONS: dict[str, Any] = {
    "features": (4, 8),
    "global_features": 8,
    "dilations": {"spine": (2, 6, 3, 1, 1)},
    "downsample": {"spine": 8},
}


def network(*domains: Domain, **options: Any) -> GU2Net:
    counts = {domain.name: len(domain.landmarks) for domain in domains}
    return GU2Net(2, 1, counts, **(OPTIONS | options)).eval()


def saved(path: Path, model: GU2Net, *domains: Domain) -> Path:
    return save_model(path, model, ModelCard({domain.name: domain for domain in domains}, model.description))


@pytest.mark.parametrize(("domain", "cell"), [("head", 4), ("spine", 8)])
def test_each_domain_is_answered_in_cells_of_its_own_size(domain: str, cell: int) -> None:
    model = GlobalNet(2, 1, COUNTS, features=4, downsample={"spine": 8}).eval()
    logits = model(torch.randn(1, 1, 32, 48), domain)
    cells = logits[..., ::cell, ::cell]
    torch.testing.assert_close(logits, cells.repeat_interleave(cell, -1).repeat_interleave(cell, -2), rtol=0, atol=0)
    assert cells.flatten(2).unique(dim=-1).shape[-1] > 20


@pytest.mark.parametrize(("domain", "reach"), [("head", 12), ("spine", 14)])
def test_each_domain_is_seen_as_far_as_its_own_dilations_reach(domain: str, reach: int) -> None:
    """1 for the first convolution, and the sum of the dilations: 1 + 2 + 5 + 2 + 1, and 2 + 6 + 3 + 1 + 1."""
    model = GlobalNet(2, 1, COUNTS, features=8, dilations={"spine": (2, 6, 3, 1, 1)}, downsample=1).double().eval()
    image = torch.randn(1, 1, 41, 41, dtype=torch.float64, requires_grad=True)
    model(image, domain)[0, :, 20, 20].sum().backward()
    assert image.grad is not None
    seen = image.grad[0, 0].abs().amax(0).nonzero().flatten()
    assert (20 - seen.min().item(), seen.max().item() - 20) == (reach, reach)


def test_settings_that_do_not_differ_are_one() -> None:
    """So that a network that names its default for every domain is the one that names none."""
    named = GU2Net(
        2, 1, COUNTS, features=(4, 8), downsample={"head": 4, "spine": 4}, dilations={"head": [1, 2, 5, 2, 1]}
    )
    plain = GU2Net(2, 1, COUNTS, features=(4, 8))
    assert named.options == plain.options
    assert plain.options["downsample"] == 4


@pytest.mark.parametrize("branches", ["both", "global"])
@pytest.mark.parametrize("domain", ["head", "spine"])
def test_one_domain_taken_out_answers_as_in_the_whole(branches: str, domain: str) -> None:
    model = network(HEAD, SPINE, branches=branches)
    image = torch.randn(1, 1, 32, 48)
    with torch.no_grad():
        expected = model(image, domain)
        torch.testing.assert_close(model.specialize(domain)(image), expected, rtol=0, atol=1e-5)
        torch.testing.assert_close(torch.jit.script(model)(image, domain), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"downsample": {"spien": 8}}, r"downsample must be .* domains \['head', 'spine'\]; got it for \['spien'\]"),
        ({"dilations": {"knee": (1, 2)}}, r"dilations must be .*; got it for \['knee'\]"),
        ({"downsample": {"spine": 0}}, r"downsample must be at least 1; got \[0, 4\]"),
        ({"dilations": {"spine": (1, 0, 1, 1, 1)}}, "dilations must be at least 1"),
        ({"dilations": {"spine": (1, 2)}}, "dilations must be as many in each domain; got"),
    ],
)
def test_settings_of_no_domain_or_out_of_range_are_refused(options: dict[str, Any], message: str) -> None:
    for build in (GU2Net, GlobalNet):
        with pytest.raises(ValueError, match=message):
            build(2, 1, COUNTS, **options)


def test_a_model_comes_back_from_its_file_with_the_settings_of_each_domain(tmp_path: Path) -> None:
    model = network(HEAD, SPINE)
    loaded, card = load_model(saved(tmp_path / "model.pt", model, HEAD, SPINE))
    assert card.network["options"]["downsample"] == {"head": 4, "spine": 8}
    image = torch.randn(1, 1, 32, 48)
    for domain in COUNTS:
        assert torch.equal(loaded(image, domain), model(image, domain))


@pytest.mark.parametrize(("kept", "downsample"), [(["spine"], 8), (["head"], 4), (["spine", "head"], None)])
def test_some_domains_keep_their_settings(tmp_path: Path, kept: Sequence[str], downsample: int | None) -> None:
    path = saved(tmp_path / "model.pt", model := network(HEAD, SPINE), HEAD, SPINE)
    found, card = keep_domains(path, kept)
    expected: int | Mapping[str, int] = {"spine": 8, "head": 4} if downsample is None else downsample
    assert card.network["options"]["downsample"] == expected
    image = torch.randn(1, 1, 32, 48)
    for domain in kept:
        assert torch.equal(found(image, domain), model(image, domain))


@pytest.mark.parametrize("own", [4, 16])
def test_a_new_domain_may_have_settings_of_its_own_and_the_earlier_ones_keep_theirs(tmp_path: Path, own: int) -> None:
    path = saved(tmp_path / "model.pt", model := network(HEAD, SPINE), HEAD, SPINE)
    wider = network(HEAD, SPINE, KNEE, downsample={"spine": 8, "knee": own})
    started = start_from(wider, path).eval()
    image = torch.randn(1, 1, 32, 48)
    for domain in COUNTS:
        assert torch.equal(started(image, domain), model(image, domain))
    with pytest.raises(ValueError, match="The network must be as that of"):
        start_from(network(HEAD, SPINE, KNEE, dilations={"spine": (1, 2, 5, 2, 1)}), path)


def test_at_twice_the_size_a_domain_may_go_on_in_the_same_cells(tmp_path: Path) -> None:
    """The global network answers a piecewise constant image of twice the size as it answered the small one."""
    path = saved(tmp_path / "model.pt", model := network(HEAD, SPINE, branches="global"), HEAD, SPINE)
    started = start_from(network(HEAD, SPINE, branches="global", downsample={"spine": 16}), path).eval()
    image = torch.randn(1, 1, 32, 48)
    larger = image.repeat_interleave(2, -1).repeat_interleave(2, -2)
    expected = model(image, "spine").repeat_interleave(2, -1).repeat_interleave(2, -2)
    torch.testing.assert_close(started(larger, "spine"), expected, rtol=0, atol=1e-5)


def test_a_training_begins_with_the_reach_of_the_model_that_it_goes_on_from(tmp_path: Path) -> None:
    path = saved(tmp_path / "model.pt", network(HEAD, SPINE), HEAD, SPINE)
    assert reach_from(path) == {
        "dilations": {"head": [1, 2, 5, 2, 1], "spine": [2, 6, 3, 1, 1]},
        "downsample": {"head": 4, "spine": 8},
    }
    assert GU2Net(2, 1, COUNTS, **reach_from(None)).options == GU2Net(2, 1, COUNTS).options
