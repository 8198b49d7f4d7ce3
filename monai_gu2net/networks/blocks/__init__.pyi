# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0

from .domain_conv import DomainConv as DomainConv
from .domain_conv import DomainSeparableConv as DomainSeparableConv
from .domain_conv import SharedConv as SharedConv
from .domain_conv import Sharing as Sharing
from .domain_switch import DomainModule as DomainModule
from .domain_switch import DomainSwitch as DomainSwitch
from .domain_switch import keep_only as keep_only
from .u_shape import DoubleConv as DoubleConv
from .u_shape import UShapedBody as UShapedBody
