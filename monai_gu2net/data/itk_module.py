# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""ITK, which is not to move the process to another folder."""

from __future__ import annotations

import sys
from functools import cache
from typing import Any

__all__ = ["itk_module"]


@cache
def itk_module() -> Any:
    """The package ``itk``, safe beside threads that use relative paths.

    ITK 5.4 loads its libraries where they are first used, and changes the working directory of the whole process to its
    own folder for the while: a relative path of another thread leads there, and two threads that load at a time leave
    the process there for good. It finds them without that, by ``sys.path``.
    """
    import itk
    import itkConfig  # type: ignore[import-untyped]
    from itk.support import base

    class LibraryLoader(base.LibraryLoader):
        def setup(self) -> None:
            self.old_path = sys.path
            sys.path = [itkConfig.swig_lib, itkConfig.swig_py, *sys.path]

        def cleanup(self) -> None:
            sys.path = self.old_path

    base.LibraryLoader = LibraryLoader
    return itk
