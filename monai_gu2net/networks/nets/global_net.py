# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The global network: dilated convolutions at a fraction of the size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from monai_gu2net.data.of_domains import as_setting, of_domains
from monai_gu2net.networks.blocks.domain_conv import RELU, DomainConv
from monai_gu2net.networks.blocks.domain_switch import DomainSwitch
from monai_gu2net.networks.blocks.volume_conv import conv_type
from monai_gu2net.networks.nets.domain_network import DomainNetwork, check_counts, set_prior

DILATIONS = (1, 2, 5, 2, 1)
DOWNSAMPLE = 4


class GlobalNet(DomainNetwork):
    """Dilated 3x3 convolutions, all per domain, on the downsampled image and optionally a local heatmap.

    Args:
        spatial_dims: 2 or 3.
        in_channels: image channels, one number or one per domain.
        out_channels: number of landmarks by name of domain; its order is the order of the domains.
        features: channels of the hidden layers.
        dilations: of the convolutions, one each; or those of domains by name, as many in each, where domains that it
            does not name have the default.
        downsample: factor between the image's size and the size the network works at, or those of domains by name.
        sees_heatmap: whether a local heatmap is the second input; half of the features read it.
        prior: mean of the heatmaps at the start, which sets the last biases.
        default_domain: the domain of ``network(image)``; a network with one domain needs none.

    Raises:
        ValueError: an argument is out of range, or names a domain that ``out_channels`` lacks.

    Example:
        >>> network = GlobalNet(2, 1, {"head": 19, "hand": 37}, features=8)
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
        features: int = 128,
        dilations: Sequence[int] | Mapping[str, Sequence[int]] = DILATIONS,
        downsample: int | Mapping[str, int] = DOWNSAMPLE,
        sees_heatmap: bool = False,
        prior: float = 3e-4,
        default_domain: str | None = None,
    ) -> None:
        factors = of_domains("downsample", downsample, list(out_channels), DOWNSAMPLE)
        of_layers = [list(each) for each in of_domains("dilations", dilations, list(out_channels), DILATIONS)]
        super().__init__(
            spatial_dims,
            in_channels,
            out_channels,
            min_size=max(factors, default=1),
            prior=prior,
            default_domain=default_domain,
        )
        check_counts("downsample", sorted(set(factors)))
        for each in of_layers:
            check_counts("dilations", each)
        if len({len(each) for each in of_layers}) > 1:
            raise ValueError(
                f"dilations must be as many in each domain; got {of_layers}. Repeat some, or leave some out."
            )
        check_counts("features // 2", [features // 2])
        self.options = {
            "features": features,
            "dilations": as_setting(of_layers, self.domain_names),
            "downsample": as_setting(factors, self.domain_names),
            "sees_heatmap": sees_heatmap,
            "prior": prior,
        }
        self.downsample = factors
        conv = conv_type(spatial_dims)
        n_domains = len(self.domain_names)
        width = features // 2 if sees_heatmap else features
        self.entry = DomainSwitch(conv(channels, width, 3, padding=1) for channels in self.in_channels)
        self.heatmap_entry = None
        if sees_heatmap:
            self.heatmap_entry = DomainSwitch(
                conv(landmarks, features - width, 3, padding=1) for landmarks in self.out_channels
            )
        self.convs = nn.ModuleList(
            DomainConv(spatial_dims, features, features, n_domains, dilation=layer, act=RELU)
            for layer in zip(*of_layers, strict=True)
        )
        self.exit = DomainSwitch(conv(features, landmarks, 1) for landmarks in self.out_channels)
        set_prior(self.exit, prior)

    def forward(self, image: Tensor, domain: str | int | None = None, local_logits: Tensor | None = None) -> Tensor:
        """Logits of the heatmaps.

        Args:
            image: (B, C, X, Y[, Z]).
            domain: name or index, the same for the whole batch; None for the default domain.
            local_logits: (B, N, X, Y[, Z]) logits of the local heatmap, if the network sees one.

        Returns:
            (B, N, X, Y[, Z]) logits, constant over each cell of the domain's ``downsample`` pixels.

        Raises:
            ValueError: no such domain, an image of the wrong shape, or local_logits missing.
        """
        index = self.domain_index(domain)
        self.check_image(image, index)
        return F.interpolate(self.cells(image, index, local_logits), size=image.shape[2:], mode="nearest")

    def cells(self, image: Tensor, index: int, local_logits: Tensor | None = None) -> Tensor:
        """``forward`` before the cells are spread over the image: (B, N, x, y[, z]), by the index of the domain."""
        x = self.entry(self._shrink(image, index), index)
        if self.heatmap_entry is not None:
            if local_logits is None:
                raise ValueError(
                    "local_logits must be given to a network that sees a heatmap; got None. "
                    "Pass them, or build the network with sees_heatmap=False."
                )
            heatmap = self._shrink(local_logits, index).sigmoid()
            x = torch.cat([x, self.heatmap_entry(heatmap, index)], dim=1)
        for conv in self.convs:
            x = conv(x, index)
        return self.exit(x, index)

    def keep_only(self, domain: int) -> None:
        super().keep_only(domain)
        self.downsample = [self.downsample[domain]]

    def _shrink(self, x: Tensor, index: int) -> Tensor:
        """Every downsample-th pixel from the first on; what is left at the end of an axis falls away."""
        return F.interpolate(x, scale_factor=1.0 / self.downsample[index], mode="nearest")
