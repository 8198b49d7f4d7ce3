# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""UIDs of what is derived from an image: the same again for the same image and model."""

from __future__ import annotations

import uuid

__all__ = ["derived_uid"]

_NAMESPACE = uuid.UUID("b7f0a3c2-5d0e-4c55-9a55-2f1f0f6b6a11")


def derived_uid(*parts: str) -> str:
    """A UID that says nothing of what it comes from, and is the same whenever that is the same.

    Args:
        parts: what the object comes from, in order: the image's SOP Instance UID, the model, what kind of object.

    Returns:
        A UUID as a UID, at most 44 characters.

    Raises:
        ValueError: a part is empty.

    Example:
        >>> derived_uid("1.2.3", "model", "sr") == derived_uid("1.2.3", "model", "sr")
        True
        >>> derived_uid("1.2.3", "model", "sr") == derived_uid("1.2.3", "model", "gsps")
        False

    Source: DICOM PS3.5, B.2 (UUID derived UID); name-based UUIDs are those of RFC 9562, 5.5.
    """
    if not parts or not all(parts):
        raise ValueError(f"parts must each be text; got {len(parts)}, of which some are empty. Name them all.")
    name = "\0".join(parts)
    return f"2.25.{uuid.uuid5(_NAMESPACE, name).int}"
