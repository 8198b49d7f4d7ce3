# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The extra that connections need."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["dicom_extra"]


@contextmanager
def dicom_extra(purpose: str) -> Iterator[None]:
    """Import optional packages inside; where one is absent the error says what to install.

    The packages' own log messages are switched off, for they quote what a peer sent.

    Args:
        purpose: in words.

    Raises:
        ImportError: a package is absent.
    """
    try:
        yield
    except ImportError as error:
        raise ImportError(
            f'{purpose} must have the package {error.name!r}; it is absent. Run: pip install "monai_gu2net[dicom]"'
        ) from None
    for name in ("pynetdicom", "dicomweb_client", "pydicom", "urllib3"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
