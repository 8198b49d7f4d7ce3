# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""How far off a prediction may be: the spread of its heatmap, and the radius that a calibration makes of it."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
