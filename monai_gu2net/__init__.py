# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Universal anatomical landmark detection (GU2Net) as a MONAI plugin.

What people need is here by name, and so are the rooms, which have the rest. A name is loaded when it is used first::

    import monai_gu2net

    found = monai_gu2net.load("model.pt").predict("image.png", domain="head")
    found.points, found.unit, found.names
"""

import lazy_loader

__version__ = "0.1.0"
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
