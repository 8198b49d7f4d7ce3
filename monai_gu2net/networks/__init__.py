# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Networks: GU2Net, its parts and the baselines it is compared with."""

from __future__ import annotations

from monai_gu2net.networks.authors_weights import load_authors_weights
from monai_gu2net.networks.checkpoint import first_checkpoint, replace_checkpoint, save_calibration
from monai_gu2net.networks.ensemble import Ensemble, load_ensemble
from monai_gu2net.networks.model_card import ModelCard, card_of, load_model, save_model
from monai_gu2net.networks.nets import GlobalNet, GU2Net, SpecializedNetwork, UShapedNet
from monai_gu2net.networks.start import calibration_from, domains_from, keep_domains, parameter_groups, start_from

__all__ = [
    "Ensemble",
    "GU2Net",
    "GlobalNet",
    "ModelCard",
    "SpecializedNetwork",
    "UShapedNet",
    "calibration_from",
    "card_of",
    "domains_from",
    "first_checkpoint",
    "keep_domains",
    "load_authors_weights",
    "load_ensemble",
    "load_model",
    "parameter_groups",
    "replace_checkpoint",
    "save_calibration",
    "save_model",
    "start_from",
]
