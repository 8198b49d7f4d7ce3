# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""GU2Net: a local network with shared point-wise convolutions times a global network."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor

from monai_gu2net.data.of_domains import as_setting, of_domains
from monai_gu2net.networks.blocks.cell_product import combine_logits, combine_with_cells
from monai_gu2net.networks.blocks.recompute import is_trained
from monai_gu2net.networks.nets.domain_network import DomainNetwork
from monai_gu2net.networks.nets.global_net import DILATIONS, DOWNSAMPLE, GlobalNet
from monai_gu2net.networks.nets.u_shaped_net import FEATURES, UShapedNet


class GU2Net(DomainNetwork):
    """Universal landmark detector: one network, several domains.

    The output is one tensor of logits whose sigmoid is the paper's product of the local and the global
    heatmap.

    Args:
        spatial_dims: 2 or 3.
        in_channels: image channels, one number or one per domain.
        out_channels: number of landmarks by name of domain; its order is the order of the domains.
        branches: "both"; or only the "local" or the "global" one, for ablations.
        features: channels per level of the local network, from full size down.
        global_features: channels of the hidden layers of the global network.
        dilations: of the convolutions of the global network, see :class:`GlobalNet`.
        downsample: factor between the image's size and the size the global network works at, or those of domains by
            name, for domains differ in how far a landmark lies from what tells it from its neighbours.
        prior: mean of the heatmaps at the start, which sets the last biases. A Gaussian with a sigma of
            3 px on 512 x 416 px has the mean 2.6e-4.
        default_domain: the domain of ``network(image)``; a network with one domain needs none.

    Raises:
        ValueError: an argument is out of range, or names a domain that ``out_channels`` lacks.

    Example:
        >>> network = GU2Net(2, 1, {"head": 19, "hand": 37}, features=(4, 8), global_features=8)
        >>> network(torch.zeros(1, 1, 32, 24), "hand").shape
        torch.Size([1, 37, 32, 24])

    Source: Zhu et al., "You Only Learn Once: Universal Anatomical Landmark Detection", MICCAI 2021.
    """

    def __init__(
        self,
        spatial_dims: int,
        in_channels: int | Mapping[str, int],
        out_channels: Mapping[str, int],
        *,
        branches: Literal["both", "local", "global"] = "both",
        features: Sequence[int] = FEATURES,
        global_features: int = 128,
        dilations: Sequence[int] | Mapping[str, Sequence[int]] = DILATIONS,
        downsample: int | Mapping[str, int] = DOWNSAMPLE,
        prior: float = 3e-4,
        default_domain: str | None = None,
    ) -> None:
        if branches not in ("both", "local", "global"):
            raise ValueError(f"branches must be 'both', 'local' or 'global'; got {branches!r}. Choose one.")
        local_size = 1 if branches == "global" else 2 ** (len(features) - 1)
        factors = of_domains("downsample", downsample, list(out_channels), DOWNSAMPLE)
        global_size = 1 if branches == "local" else max(factors, default=1)
        super().__init__(
            spatial_dims,
            in_channels,
            out_channels,
            min_size=max(local_size, global_size),
            prior=prior,
            default_domain=default_domain,
        )
        self.options = {
            "branches": branches,
            "features": list(features),
            "global_features": global_features,
            "dilations": as_setting(
                [list(each) for each in of_domains("dilations", dilations, self.domain_names, DILATIONS)],
                self.domain_names,
            ),
            "downsample": as_setting(factors, self.domain_names),
            "prior": prior,
        }
        branch_prior = math.sqrt(prior) if branches == "both" else prior
        self.local_net = None
        self.global_net = None
        if branches != "global":
            self.local_net = UShapedNet(spatial_dims, in_channels, out_channels, features=features, prior=branch_prior)
        if branches != "local":
            self.global_net = GlobalNet(
                spatial_dims,
                in_channels,
                out_channels,
                features=global_features,
                dilations=dilations,
                downsample=downsample,
                sees_heatmap=branches == "both",
                prior=branch_prior,
            )
        for part in (self.local_net, self.global_net):
            if part is not None:
                part.card = None  # the whole has that of both

    def forward(self, image: Tensor, domain: str | int | None = None) -> Tensor:
        """Logits of the heatmaps.

        Args:
            image: (B, C, X, Y[, Z]).
            domain: name or index, the same for the whole batch; None for the default domain.

        Returns:
            (B, N, X, Y[, Z]) logits; float32 with both branches, even under mixed precision.

        Raises:
            ValueError: no such domain, or an image of the wrong shape.
        """
        index = self.domain_index(domain)
        self.check_image(image, index)
        if self.local_net is not None:
            local_logits = self.local_net(image, index)
            if self.global_net is not None:
                if not torch.jit.is_scripting():  # noqa: SIM102 - TorchScript leaves it out only if it stands alone
                    if is_trained(self.training):
                        return combine_with_cells(local_logits, self.global_net.cells(image, index, local_logits))
                return combine_logits(local_logits, self.global_net(image, index, local_logits))
            return local_logits
        assert self.global_net is not None
        return self.global_net(image, index)
