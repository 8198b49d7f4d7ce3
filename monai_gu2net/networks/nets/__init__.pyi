# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0

from .domain_network import DomainNetwork as DomainNetwork
from .domain_network import SpecializedNetwork as SpecializedNetwork
from .global_net import GlobalNet as GlobalNet
from .gu2net import GU2Net as GU2Net
from .gu2net import combine_logits as combine_logits
from .u_shaped_net import UShapedNet as UShapedNet
