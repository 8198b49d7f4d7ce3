# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Measuring a trained model on annotated cases."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import torch

from monai_gu2net.data.datalist import SPLITS, Datalist
from monai_gu2net.engines.run_cases import run_cases
from monai_gu2net.networks.checkpoint import load_model
from monai_gu2net.visualize import write_report

__all__ = ["evaluate_model"]


def evaluate_model(
    checkpoint: str | os.PathLike[str],
    data: Datalist,
    *,
    output_dir: str | os.PathLike[str],
    split: str = "test",
    device: str | torch.device = "cpu",
    worst: int = 6,
    on_case: Callable[[int], None] = lambda count: None,
) -> Path:
    """Find the landmarks of annotated cases, compare, and write a report.

    Args:
        checkpoint: a trained model.
        data: its cases of one split; a domain of the data must be one of the model's, with the same landmarks. Domains
            of the model that the data lacks are left out.
        output_dir: where the report goes, see :func:`~monai_gu2net.visualize.write_report`.
        split: "training", "validation" or "test".
        device: where the network runs.
        worst: number of worst cases drawn in each domain.
        on_case: called with the number of cases done, after each.

    Returns:
        The path of ``report.md``.

    Raises:
        ValueError: the split is not known or empty, or the data's domains are not the model's.
    """
    if split not in SPLITS:
        raise ValueError(f"split must be among {list(SPLITS)}; got {split!r}. Correct it.")
    network, card = load_model(checkpoint, map_location=device)
    for name, domain in data.domains.items():
        known = card.domains.get(name)
        if known is None or known.landmarks != domain.landmarks:
            strange = "no such domain" if known is None else sorted(set(domain.landmarks) ^ set(known.landmarks))
            raise ValueError(
                f"Domain {name!r} of the data must be one of the model's {list(card.domains)}, with the same landmarks "
                f"in the same order; it differs in {strange or 'their order'}. Evaluate with "
                "the datalist it was trained with."
            )
    cases = getattr(data, split)
    if not cases:
        raise ValueError(f"Split {split!r} of {data.name!r} must have cases; got none. Choose another split.")
    # Input sizes are the model's, for it learned landmarks at that size; physical scale is the data's.
    card.domains |= {name: data.domains[name].resized(card.domains[name].size) for name in data.domains}
    rows, failures = run_cases(network, card, cases, device=device, on_case=on_case)
    sizes = ", ".join(f"{name} {'x'.join(map(str, card.domains[name].size))}" for name in data.domains)
    protocol = {
        "Data": f"{data.name}, {split} split",
        "Model": ", ".join(f"{key}: {value}" for key, value in card.provenance.items()) or "unnamed",
        "Network input (px)": sizes,
    }
    return write_report(
        output_dir,
        rows,
        images={(case["domain"], case["case"]): case["image"] for case in cases},
        protocol=protocol,
        failures=failures,
        worst=worst,
    )
