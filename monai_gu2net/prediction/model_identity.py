# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What a model is called in the results that it makes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import monai_gu2net
from monai_gu2net.networks.model_card import ModelCard

__all__ = ["model_identity"]


def model_identity(card: ModelCard, paths: Sequence[str | os.PathLike[str]]) -> dict[str, str]:
    """Name and version of a model for the record.

    Args:
        card: of the model; its provenance may say ``name`` and ``version``.
        paths: its files.

    Returns:
        ``name``: that of the provenance, else the class of the network; ``version``: that of the provenance or the
        package, and the first digits of the SHA-256 of the files, which tell weights apart whatever they are called.
    """
    digest = hashlib.sha256()
    for path in paths:
        digest.update(hashlib.sha256(Path(path).read_bytes()).digest())
    return {
        "name": str(card.provenance.get("name") or card.network["name"]),
        "version": f"{card.provenance.get('version') or monai_gu2net.__version__} ({digest.hexdigest()[:12]})",
    }
