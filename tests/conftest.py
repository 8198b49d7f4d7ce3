# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import importlib.util
import random
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import settings

from monai_gu2net.phantom import make_phantom

# importlib's import mode has no place for modules that tests share: they import them by their bare names
for _shared in (
    "dicom/dicom_files.py",
    "dicom/series_files.py",
    "dicom/foreign_reports.py",
    "data/picture_files.py",
    "data/volume_files.py",
    "sources/volume_source.py",
    "integration/archive.py",
):
    _path = Path(__file__).parent / _shared
    _spec = importlib.util.spec_from_file_location(_path.stem, _path)
    assert _spec is not None
    assert _spec.loader is not None
    sys.modules[_path.stem] = importlib.util.module_from_spec(_spec)
    _spec.loader.exec_module(sys.modules[_path.stem])

settings.register_profile("reproducible", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("reproducible")


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """A number of the test's own, the same in every run."""
    return zlib.crc32(request.node.nodeid.encode())


@pytest.fixture
def rng(seed: int) -> np.random.Generator:
    """The source of a test's random arrays."""
    return np.random.default_rng(seed)


@pytest.fixture(scope="session")
def tiny_phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The phantom's datalist with a few cases of each domain; its folder is not to be written to."""
    folder = tmp_path_factory.mktemp("phantom")
    return make_phantom(folder, cases={"training": 4, "validation": 1, "test": 2}, progress=False)


@pytest.fixture(scope="session")
def make_dicom() -> Callable[..., Path]:
    """Writes a computed radiograph: ``make_dicom(path, pixels, photometric=..., ImagerPixelSpacing=[0.1, 0.1])``."""
    return sys.modules["dicom_files"].make_dicom


@pytest.fixture(autouse=True)
def _seed_global_generators(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
