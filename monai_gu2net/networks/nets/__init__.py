# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Networks over several domains."""

from __future__ import annotations

from monai_gu2net.networks.nets.domain_network import DomainNetwork, SpecializedNetwork
from monai_gu2net.networks.nets.global_net import GlobalNet
from monai_gu2net.networks.nets.gu2net import GU2Net, combine_logits
from monai_gu2net.networks.nets.u_shaped_net import UShapedNet

__all__ = ["DomainNetwork", "GU2Net", "GlobalNet", "SpecializedNetwork", "UShapedNet", "combine_logits"]
