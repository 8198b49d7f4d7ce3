# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0

from .authors_weights import load_authors_weights as load_authors_weights
from .checkpoint import first_checkpoint as first_checkpoint
from .checkpoint import replace_checkpoint as replace_checkpoint
from .checkpoint import save_appearance as save_appearance
from .checkpoint import save_calibration as save_calibration
from .ensemble import Ensemble as Ensemble
from .ensemble import load_ensemble as load_ensemble
from .model_card import ModelCard as ModelCard
from .model_card import card_of as card_of
from .model_card import load_model as load_model
from .model_card import save_model as save_model
from .nets import GlobalNet as GlobalNet
from .nets import GU2Net as GU2Net
from .nets import SpecializedNetwork as SpecializedNetwork
from .nets import UShapedNet as UShapedNet
from .start import appearance_from as appearance_from
from .start import calibration_from as calibration_from
from .start import domains_from as domains_from
from .start import keep_domains as keep_domains
from .start import parameter_groups as parameter_groups
from .start import reach_from as reach_from
from .start import ready_to_train as ready_to_train
from .start import start_from as start_from
from .synchronized_norms import synchronize_norms as synchronize_norms
