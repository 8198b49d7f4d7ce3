# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Finding landmarks with a trained model: image in, landmarks and their files out."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
