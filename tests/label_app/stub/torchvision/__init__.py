# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Stands in for torchvision where the one installed does not fit PyTorch; MONAI Label only imports two names of it."""
