# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The commands of the command line, a module for each."""
