# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The local network: U-shaped, with more or less shared between the domains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from monai_gu2net.networks.blocks.domain_conv import SHARING, Sharing
from monai_gu2net.networks.blocks.domain_switch import DomainSwitch
from monai_gu2net.networks.blocks.u_shape import UShapedBody
from monai_gu2net.networks.blocks.volume_conv import conv_type
from monai_gu2net.networks.nets.domain_network import DomainNetwork, check_counts, set_prior

FEATURES = (64, 128, 256, 512, 512)


class UShapedNet(DomainNetwork):
    """U-shaped network over several domains: a 1x1 convolution per domain in and out, a body between them.

    By ``sharing`` it is the paper's local network U2Net ("separable"), a U-Net of which all domains use
    the same weights ("shared"), or one U-Net per domain, the paper's Tri-UNet ("per_domain").

    Args:
        spatial_dims: 2 or 3.
        in_channels: image channels, one number or one per domain.
        out_channels: number of landmarks by name of domain; its order is the order of the domains.
        sharing: what the domains share.
        features: channels per level, from full size down; each level after the first halves the size.
        prior: mean of the heatmaps at the start, which sets the last biases.
        default_domain: the domain of ``network(image)``; a network with one domain needs none.

    Raises:
        ValueError: an argument is out of range, or names a domain that ``out_channels`` lacks.

    Example:
        >>> import torch
        >>> network = UShapedNet(2, 1, {"head": 19, "hand": 37}, features=(4, 8))
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
        sharing: Sharing = "separable",
        features: Sequence[int] = FEATURES,
        prior: float = 3e-4,
        default_domain: str | None = None,
    ) -> None:
        check_counts("features", features)
        if sharing not in SHARING:
            raise ValueError(f"sharing must be one of {list(SHARING)}; got {sharing!r}. Choose one of them.")
        super().__init__(
            spatial_dims,
            in_channels,
            out_channels,
            min_size=2 ** (len(features) - 1),
            prior=prior,
            default_domain=default_domain,
        )
        self.options = {"sharing": sharing, "features": list(features), "prior": prior}
        conv = conv_type(spatial_dims)
        self.entry = DomainSwitch(conv(channels, features[0], 1) for channels in self.in_channels)
        self.body = UShapedBody(spatial_dims, features, len(self.domain_names), sharing=sharing)
        self.exit = DomainSwitch(conv(features[0], landmarks, 1) for landmarks in self.out_channels)
        set_prior(self.exit, prior)

    def forward(self, image: Tensor, domain: str | int | None = None) -> Tensor:
        """Logits of the heatmaps.

        Args:
            image: (B, C, X, Y[, Z]).
            domain: name or index, the same for the whole batch; None for the default domain.

        Returns:
            (B, N, X, Y[, Z]) logits.

        Raises:
            ValueError: no such domain, or an image of the wrong shape.
        """
        index = self.domain_index(domain)
        self.check_image(image, index)
        return self.exit(self.body(self.entry(image, index), index), index)
