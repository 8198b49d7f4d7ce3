# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""A built-in dataset: radiographs and volumes of random articulated 3-D anatomies with exactly known landmarks."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
