# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0

from .dataset import DEFAULT_CASES as DEFAULT_CASES
from .dataset import make_phantom as make_phantom
from .phantom_case import phantom_case as phantom_case
from .phantom_case import phantom_volume as phantom_volume
