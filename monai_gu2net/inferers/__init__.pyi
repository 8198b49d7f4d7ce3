# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0

from .inferer import LandmarkInferer as LandmarkInferer
from .tta import TTAInferer as TTAInferer
