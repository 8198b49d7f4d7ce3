# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Sources of cases: each kind of dataset folder as a domain and its cases, and which data a run works on."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
