# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Networks in the formats of other engines, and the engines that run them here."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
