# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Connections to where radiographs are: a DICOMweb server, and a listener that answers what it is sent."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
