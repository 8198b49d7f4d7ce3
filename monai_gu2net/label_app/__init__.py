# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Annotating with MONAI Label: pre-label, correct, retrain.

Nothing here imports MONAI Label, an extra, before it is used: ``python -m monai_gu2net label`` names the extra where it
is absent. The app itself is :class:`monai_gu2net.label_app.app.LandmarkApp`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
