# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any, NoReturn

__all__ = ["make_grid", "save_image"]


def make_grid(*_: Any, **__: Any) -> NoReturn:
    raise NotImplementedError("make_grid must come from the real torchvision. Install one that fits PyTorch.")


def save_image(*_: Any, **__: Any) -> NoReturn:
    raise NotImplementedError("save_image must come from the real torchvision. Install one that fits PyTorch.")
