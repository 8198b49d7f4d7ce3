# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Building blocks whose parameters belong to one domain or are shared by all."""

from __future__ import annotations

from monai_gu2net.networks.blocks.domain_conv import DomainConv, DomainSeparableConv, SharedConv, Sharing
from monai_gu2net.networks.blocks.domain_switch import DomainModule, DomainSwitch, keep_only
from monai_gu2net.networks.blocks.u_shape import DoubleConv, UShapedBody

__all__ = [
    "DomainConv",
    "DomainModule",
    "DomainSeparableConv",
    "DomainSwitch",
    "DoubleConv",
    "SharedConv",
    "Sharing",
    "UShapedBody",
    "keep_only",
]
