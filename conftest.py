# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Which tests an environment can run."""

from __future__ import annotations

import importlib.util

# MONAI Label has an environment of its own, see `make test-label`.
collect_ignore = [] if importlib.util.find_spec("monailabel") else ["tests/label_app", "monai_gu2net/label_app"]
# Scripts that tests run in the Python of another program; none holds tests.
collect_ignore += ["tests/integration/ohif_round.py", "tests/integration/slicer_scene.py"]
