# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Measuring a trained model on annotated cases."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from ignite import distributed

from monai_gu2net.data.datalist import Datalist
from monai_gu2net.data.domain import Domain
from monai_gu2net.data.outside import ALLOWED_OUTSIDE
from monai_gu2net.data.spacing_source import checked_sources
from monai_gu2net.engines.left_out_cases import warn_of_left_out
from monai_gu2net.engines.shared_run import run_shared
from monai_gu2net.evaluation import ORIGINAL, Protocol, annotator_rows, undoubted_rows
from monai_gu2net.files import writable_folder
from monai_gu2net.metrics.gathering import gather
from monai_gu2net.prediction import PredictionOptions, Predictor, fitting_cases, warn_of_pixels
from monai_gu2net.prediction.predictor import Checkpoints
from monai_gu2net.report import EvaluationResult, write_report

__all__ = ["evaluate_model"]


def evaluate_model(
    checkpoint: Checkpoints,
    data: Datalist,
    *,
    output_dir: str | os.PathLike[str],
    split: str = "test",
    tta: int = 1,
    device: str | torch.device = "cpu",
    worst: int = 6,
    protocol: Protocol = ORIGINAL,
    annotator: str | None = None,
    spacing: Sequence[float] | None = None,
    accept_spacing_source: Sequence[str] | None = None,
    backend: str = "auto",
    precision: str = "auto",
    allow_outside: float = ALLOWED_OUTSIDE,
    on_case: Callable[[int], None] = lambda count: None,
) -> EvaluationResult:
    """Find the landmarks of annotated cases, compare, and write a report.

    The processes of a distributed run share the cases; every one must call it, and the first writes.

    Args:
        checkpoint: a trained model, or several whose heatmaps are averaged.
        data: its cases of one split; a domain of the data must be one of the model's, with landmarks among the model's,
            in any order. Domains and landmarks of the model that the data lacks do not count. A domain of the data that
            does not fit is a failure, and the others go on.
        output_dir: where the report goes, see :func:`~monai_gu2net.report.write_report`.
        split: "training", "validation", "test" or "all".
        tta: test-time augmentation, see :class:`~monai_gu2net.prediction.PredictionOptions`, as are the two on spacing,
            backend and precision.
        device: where the network runs.
        worst: number of worst cases drawn in each domain.
        protocol: how errors are measured and counted; its ground truth is filled in from the data.
        annotator: score against another ground truth that the datalist holds, see
            :meth:`~monai_gu2net.data.Datalist.annotated_by`. Cases that lack it are failures.
        spacing: mm per pixel of every image, whatever else says so.
        accept_spacing_source: what the source of a spacing must begin with, such as "detector"; cases with another one
            are in pixels, see :func:`~monai_gu2net.data.case_spacing`. None: any will do.
        backend: the engine that runs the networks.
        precision: that it computes in.
        allow_outside: share of a domain's landmarks that may lie outside of their images, see
            :func:`~monai_gu2net.data.cases_in_frame`.
        on_case: called with the number of this process's cases done, after each.

    Returns:
        The result, the same on every process: tables, summaries, failures, and where the report is.

    Raises:
        ValueError: the split is not known or empty, no domain of the data fits the model, no case has the annotator,
            too many landmarks lie outside of their images, or what the protocol leaves out is not there.
        OSError: the folder does not take files.
    """
    options = PredictionOptions(
        tta=tta, spacing=spacing, accept_spacing_source=accept_spacing_source, backend=backend, precision=precision
    )
    predictor = Predictor(checkpoint, options, device=device)
    data = data if annotator is None else data.annotated_by(annotator)
    mismatched: dict[str, str] = {}
    domains, cases = fitting_cases(
        predictor.card, data, split=split, allow_outside=allow_outside, mismatched=mismatched
    )
    counts = Counter(case["domain"] for case in data.cases(split))
    refused = [
        {"case": f"all {counts[name]} cases", "domain": name, "reason": reason}
        for name, reason in mismatched.items()
        if counts[name]
    ]
    volumes = [name for name, domain in domains.items() if domain.dims == 3]
    protocol.check({name: domain.landmarks for name, domain in domains.items()}, volumes=volumes)
    lacking: list[dict[str, str]] = []
    if annotator is not None:
        cases, lacking = _with_landmarks(cases, annotator)
    writable_folder(output_dir)
    left_out = warn_of_left_out(data.only(domains), cases)
    rows, failures = run_shared(predictor, cases, domains=domains, on_case=on_case)
    warn_of_pixels(rows)
    sizes = ", ".join(f"{name} {'x'.join(map(str, domain.size))}" for name, domain in domains.items())
    conditions = {
        "Data": f"{data.name}, {split} split",
        "Model": ", ".join(f"{key}: {value}" for key, value in predictor.card.provenance.items()) or "unnamed",
        "Seed of the training": str(predictor.card.provenance.get("seed", "not recorded")),
        "Network input (px)": sizes,
        "Heatmaps": f"test-time augmentation {tta}, mean of {len(predictor.paths)} model(s)",
        "Engine": str(predictor.backend),
        "Scale of the files": _scales(domains, spacing, accept_spacing_source),
    }
    truths = {name: domain.ground_truth for name, domain in domains.items() if domain.ground_truth}
    written: list[EvaluationResult] = []
    if distributed.get_rank() == 0:
        result = write_report(
            output_dir,
            rows,
            images={(case["domain"], case["case"]): case["image"] for case in cases},
            scoring=replace(protocol, ground_truth=truths),
            protocol=conditions,
            annotators=annotator_rows(rows, cases, domains),
            undoubted=undoubted_rows(rows, cases),
            calibrations=predictor.calibrations,
            measurements={name: domain.all_measurements for name, domain in domains.items()},
            levels={name: domain.all_levels for name, domain in domains.items()},
            failures=[*refused, *lacking, *failures],
            left_out=left_out,
            worst=worst,
        )
        written.append(result)
    return gather(written)[0][0]


def _with_landmarks(
    cases: Sequence[dict[str, Any]], annotator: str
) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """The cases that have landmarks, and a failure for each of the others."""
    reason = f"annotator {annotator!r} has no landmarks of this case"
    lacking = [case for case in cases if "landmarks" not in case]
    failures = [{"case": case["case"], "domain": case["domain"], "reason": reason} for case in lacking]
    return [case for case in cases if "landmarks" in case], failures


def _scales(domains: Mapping[str, Domain], spacing: Sequence[float] | None, accepted: Sequence[str] | None) -> str:
    """Where the millimetres of all domains' files come from, in words."""
    if spacing is not None:
        return f"{' x '.join(f'{length:.6g}' for length in spacing)} mm per pixel, given for the run"
    words = "; ".join(f"{name}: {_scale(domain)}" for name, domain in domains.items())
    alone = checked_sources(accepted)
    return words if alone is None else f"{words}; accepted sources alone: {', '.join(alone)}"


def _scale(domain: Domain) -> str:
    """Where the millimetres of a domain's files come from, in words; a case's own spacing goes before."""
    if domain.spacing is not None:
        return f"{' x '.join(f'{length:.6g}' for length in domain.spacing)} mm per pixel"
    if domain.reference is not None:
        length = domain.reference
        return f"{length.mm:g} mm from {length.first} to {length.second} of the reference, unless a file was measured"
    return "that of each case or file, else pixels"
