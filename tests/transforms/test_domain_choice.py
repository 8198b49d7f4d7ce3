# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch
from monai.data import MetaTensor
from torch import nn

from monai_gu2net.data import Domain
from monai_gu2net.inferers import LandmarkInferer
from monai_gu2net.transforms import ChooseDomaind, MarkDomaind

DOMAINS = {name: Domain(name, ("a",), (8, 8)) for name in ("head", "hand")}


class Named(nn.Module):
    """Remembers the domains that it is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str | None] = []

    def forward(self, image: torch.Tensor, domain: str | None = None) -> torch.Tensor:
        self.asked.append(domain)
        return image


@pytest.mark.parametrize(("asked", "expected"), [(None, "hand"), ("", "hand"), ("head", "head")])
def test_a_sample_without_a_domain_gets_the_default(asked: str | None, expected: str) -> None:
    assert ChooseDomaind(domains=DOMAINS, default="hand")({"domain": asked})["domain"] == expected
    assert ChooseDomaind(domains=DOMAINS, default="hand")({})["domain"] == "hand"


def test_a_domain_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match=r"domain must be among the model's \['head', 'hand'\]; got 'knee'"):
        ChooseDomaind(domains=DOMAINS, default="hand")({"domain": "knee"})


def test_an_image_that_is_marked_goes_to_its_domain_and_a_domain_passed_goes_before() -> None:
    plain = MetaTensor(torch.zeros(1, 8, 8), affine=2 * torch.eye(4))
    marked = MarkDomaind("image")({"image": plain, "domain": "hand"})["image"]
    network, inferer = Named(), LandmarkInferer()
    inferer(marked[None], network)
    inferer(marked[None].to("cpu"), network, "head")
    inferer(plain[None], network)
    assert network.asked == ["hand", "head", None]
    assert torch.equal(marked.affine, plain.affine)
