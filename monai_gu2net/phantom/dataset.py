# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The phantom as a dataset on disk: PNG files, NIfTI files of volumes, and a datalist."""

from __future__ import annotations

import gzip
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from PIL import Image
from tqdm import tqdm

from monai_gu2net.data.datalist import SPLITS, Datalist
from monai_gu2net.files import whole_file, write_bytes_whole
from monai_gu2net.phantom.phantom_case import EXAMINATIONS, phantom_case, phantom_volume

__all__ = ["DEFAULT_CASES", "make_phantom"]

DEFAULT_CASES = {"training": 64, "validation": 12, "test": 24}
"""Cases of each domain by split."""

# Raised when the same arguments give other files than before.
VERSION = 3


def make_phantom(
    folder: str | os.PathLike[str],
    *,
    cases: Mapping[str, int] | int | None = None,
    domains: Sequence[str] = ("head", "hand", "chest"),
    seed: int = 0,
    progress: bool = True,
) -> Path:
    """Write the phantom dataset, or find it written already.

    The same arguments give the same files. The splits take turns in the case numbers, so that no case depends
    on how many others there are.

    Args:
        folder: where to write; made if it does not exist.
        cases: cases of each domain by split ("training", "validation", "test"); by default `DEFAULT_CASES`. A number
            is that of all splits together, in the proportions of `DEFAULT_CASES`, whose test and validation parts get
            at least one case as soon as there is one to spare after training and, for validation, test.
        domains: some of "head", "hand", "chest", "spine" and, of volumes, "head_ct".
        seed: seed of everything, at least 0.
        progress: whether to show a progress bar on the standard error.

    Returns:
        The datalist, ``folder/datalist.json``. Head, chest and spine carry a spacing with every case; the hand gives
        a reference length between the two ends of the wrist instead; a volume's file states its affine. A landmark
        that a patient lacks, or that lies outside the image, is null.

    Raises:
        ValueError: a domain, a split, a count or the seed breaks its rule.
        FileExistsError: the folder holds another dataset's datalist.
    """
    counts = _counts(sum(DEFAULT_CASES.values()) if cases is None else cases)
    _check(counts, domains, seed)
    folder = Path(folder)
    datalist = folder / "datalist.json"
    origin = {
        "generator": "phantom",
        "version": VERSION,
        "seed": seed,
        "domains": list(domains),
        "cases": counts,
    }
    plan = [
        (split, domain, len(SPLITS) * number + SPLITS.index(split))
        for domain in domains
        for split in SPLITS
        for number in range(counts.get(split, 0))
    ]
    if datalist.exists():
        found = _origin_of(datalist)
        if found == origin and all((folder / _image_name(domain, index)).is_file() for _, domain, index in plan):
            return datalist
        # Without it an interrupted rewrite leaves no datalist that speaks of other images than those there.
        datalist.unlink()

    splits: dict[str, Any] = {split: [] for split in SPLITS}
    for split, domain, index in tqdm(plan, desc="phantom", unit="image", disable=not progress):
        splits[split].append(_write_case(folder, domain, seed=seed, index=index))
    declared = {domain: EXAMINATIONS[domain].domain for domain in domains}
    return Datalist("phantom", declared, **splits, origin=origin).save(datalist)


def _counts(cases: Mapping[str, int] | int) -> dict[str, int]:
    """Cases by split."""
    if not isinstance(cases, int):
        return dict(cases)
    if cases < 1:
        raise ValueError(f"Phantom images must be at least 1 of each domain; got {cases}. Correct the number.")
    share = {
        split: max(1, round(cases * count / sum(DEFAULT_CASES.values()))) for split, count in DEFAULT_CASES.items()
    }
    test = min(share["test"], cases - 1)
    validation = min(share["validation"], cases - 1 - test)
    return {"training": cases - validation - test, "validation": validation, "test": test}


def _check(counts: Mapping[str, int], domains: Sequence[str], seed: int) -> None:
    unknown = [domain for domain in domains if domain not in EXAMINATIONS]
    if unknown or not domains or len(set(domains)) != len(domains):
        raise ValueError(
            f"Phantom domains must be some of {', '.join(EXAMINATIONS)}, each once; got {list(domains)}. "
            "Choose among them."
        )
    if not counts.keys() <= set(SPLITS) or any(count < 0 for count in counts.values()):
        raise ValueError(
            f"Phantom cases must be counts of at least 0 for {', '.join(SPLITS)}; got {dict(counts)}. Correct them."
        )
    if seed < 0:
        raise ValueError(f"Phantom seed must be at least 0; got {seed}. Choose another.")


def _origin_of(datalist: Path) -> dict[str, Any]:
    """The origin of a phantom's datalist; other datalists are not ours to replace."""
    try:
        origin = Datalist.load(datalist).origin
    except ValueError:
        origin = None
    if origin is None or origin.get("generator") != "phantom":
        raise FileExistsError(
            f"The phantom's folder must not hold another dataset; got {str(datalist)!r}. Choose another folder."
        )
    return origin


def _image_name(domain: str, index: int) -> str:
    return f"{domain}/{index + 1:04d}" + (".nii.gz" if _is_of_volumes(domain) else ".png")


def _is_of_volumes(domain: str) -> bool:
    return len(EXAMINATIONS[domain].domain.size) == 3


def _write_case(folder: Path, domain: str, *, seed: int, index: int) -> dict[str, Any]:
    """Write one image; returns its case of the datalist, positions to a ten-thousandth of a pixel."""
    path, name = folder / _image_name(domain, index), f"{domain}_{index + 1:04d}"
    case: dict[str, Any] = {"image": str(path), "domain": domain, "case": name, "patient": name}
    if _is_of_volumes(domain):
        volume, points, affine = phantom_volume(domain, seed=seed, index=index)
        _write_volume(path, volume[0], affine)
    else:
        image, points, spacing = phantom_case(domain, seed=seed, index=index)
        with whole_file(path) as temporary:
            Image.fromarray(np.ascontiguousarray(image[0].T)).save(temporary, format="PNG")
        if EXAMINATIONS[domain].domain.reference is None:
            case["spacing"] = list(spacing)
    case["landmarks"] = [None if np.isnan(point).any() else [round(float(p), 4) for p in point] for point in points]
    return case


def _write_volume(path: Path, volume: np.ndarray, affine: np.ndarray) -> None:
    """Write NIfTI, compressed without a date: the same volume gives the same file."""
    image = nibabel.Nifti1Image(volume, affine)
    image.set_qform(affine, code="scanner")  # some programs read this one, some the other
    image.set_sform(affine, code="scanner")
    image.header.set_xyzt_units("mm")
    write_bytes_whole(path, gzip.compress(image.to_bytes(), compresslevel=1, mtime=0))
