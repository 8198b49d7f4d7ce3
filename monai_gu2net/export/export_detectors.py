# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""A trained model as files that other programs run, each with its description inside and checked."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

import monai_gu2net
from monai_gu2net.data.domain import Domain
from monai_gu2net.export.detector import LandmarkDetector
from monai_gu2net.export.detector_formats import DETECTOR_FORMATS, RecordedDetector
from monai_gu2net.files import whole_file, writable_folder
from monai_gu2net.networks.ensemble import load_ensemble
from monai_gu2net.networks.model_card import ModelCard
from monai_gu2net.transforms.outliers import CLIP_PASSES, FARTHEST

__all__ = ["ExportedDetector", "detector_description", "export_detectors"]

_MOST_PX, _MOST_CONFIDENCE = 0.05, 1e-3


@dataclass(frozen=True)
class ExportedDetector:
    """What was written of one domain in one format.

    Args:
        domain: its name.
        format: its name.
        files: the one to be opened first.
        off_px: how far its points are from PyTorch's at most, in pixels of the image it was checked on.
        off_confidence: how far its confidences are.
    """

    domain: str
    format: str
    files: tuple[Path, ...]
    off_px: float
    off_confidence: float


def export_detectors(
    checkpoints: Sequence[str | os.PathLike[str]],
    output_dir: str | os.PathLike[str],
    *,
    domains: Sequence[str] | None = None,
    formats: Sequence[str] = tuple(DETECTOR_FORMATS),
    min_confidence: float = 0.0,
    on_file: Callable[[int], None] = lambda count: None,
) -> list[ExportedDetector]:
    """Write a :class:`LandmarkDetector` of each domain in each format, check it with the engine it is for, and keep it.

    Args:
        checkpoints: a trained model, or several whose heatmaps are averaged.
        output_dir: where ``MODEL.DOMAIN.onnx``, ``.xml`` and ``.bin`` (OpenVINO), ``.pt2`` and ``.ts`` (TorchScript)
            go, MODEL being the name of the first checkpoint.
        domains: of the model; by default all.
        formats: among "onnx", "openvino", "pt2" and "torchscript".
        min_confidence: a landmark of lower confidence is called absent.
        on_file: called with the number of files done, after each.

    Raises:
        FileNotFoundError, ValueError: a checkpoint is not there or is none, a domain or format is not known, or a file
            does not give what PyTorch gives: it is not kept then.
        ImportError: a package that a format needs is absent.
        OSError: the folder does not take files.
    """
    for name in formats:
        if name not in DETECTOR_FORMATS:
            raise ValueError(f"The format must be among {list(DETECTOR_FORMATS)}; got {name!r}. Choose among them.")
        DETECTOR_FORMATS[name].check_packages(name)
    paths = [Path(path) for path in checkpoints]
    network, card = load_ensemble(paths)
    for domain in domains or ():
        if domain not in card.domains:
            raise ValueError(
                f"The domain must be one of the model's {list(card.domains)}; got {domain!r}. Name it (--domain)."
            )
    posed = [name for name in domains or card.domains if card.domains[name].mean_shape is not None]
    if posed:
        others = [name for name in card.domains if name not in posed]
        raise ValueError(
            f"A domain to export must be found at one look; got {posed}, whose images lie in any pose and are looked "
            f"at in several. Predict with this package, or export others: {others or 'there are none'} (--domain)."
        )
    folder = writable_folder(output_dir)
    written: list[ExportedDetector] = []
    for domain in domains or card.domains:
        described = card.domains[domain]
        detector = LandmarkDetector(
            network.specialize(domain),
            described.size,
            target_spacing=described.target_spacing,
            min_confidence=min_confidence,
        ).eval()
        image = _smooth_noise(described)
        recorded = RecordedDetector(detector, image[:1], _others(described))
        description = json.dumps(detector_description(card, domain, paths, min_confidence=min_confidence))
        for name in formats:
            target = folder / f"{paths[0].stem}.{domain}"
            written.append(_write(recorded, description, image, domain, name, target))
            on_file(len(written))
    return written


def detector_description(
    card: ModelCard, domain: str, checkpoints: Sequence[Path], *, min_confidence: float = 0.0
) -> dict[str, Any]:
    """What a file says of the detector in it, as JSON has it.

    Args:
        card: of the model.
        domain: of the detector.
        checkpoints: the model's files.
        min_confidence: see :class:`LandmarkDetector`.
    """
    described = card.domains_for_new_images[domain]
    state = card.state_dict()
    axes = list("XYZ"[: described.dims])
    volume = len(axes) == 3
    return {
        "format": "landmark detector",
        "format_version": 1,
        "domain": domain,
        "landmarks": list(described.landmarks),
        "input": {
            "image": {
                "shape": ["B", described.in_channels, *axes],
                "dtype": "float32",
                "axes": "batch, channel, then those of the volume, turned so that they lead to "
                f"{described.orientation}, the first to {(described.orientation or '?')[0]}: what R, A and S mean is "
                "NIfTI's"
                if volume
                else "batch, channel, then width first: X from left to right, Y from top to bottom; a picture "
                "read as (rows, columns) is transposed",
                "values": "as the file has them, finite, of any scale and offset"
                if volume
                else "as the file has them, finite, of any scale and offset, upright and bright where the "
                "radiograph is dense; colour as its luminance 0.299 R + 0.587 G + 0.114 B where there is one channel",
            },
            **(_further_inputs(described) if described.target_spacing else {}),
        },
        "output": {
            "points": {
                "shape": ["B", len(described.landmarks), len(axes)],
                "unit": "pixels of the image given, in the order of its axes; whole numbers are pixels' centres, the "
                "first one's is 0",
                "absent": "NaN",
            },
            "confidence": {"shape": ["B", len(described.landmarks)], "range": [0, 1]},
        },
        "min_confidence": min_confidence,
        "precision": "float32; OpenVINO computes in bfloat16 by itself on processors that have it, unless "
        "INFERENCE_PRECISION_HINT is f32",
        "done_inside": {
            "normalization": "each channel of each image minus its mean, by its standard deviation (that of n, not "
            "n - 1; 1 where it is 0)"
            + ("" if described.dims == 3 else f"; then {CLIP_PASSES} times clipped to +-{FARTHEST:g} and so again"),
            "network_size": list(described.size),
            **(_respacing(described) if described.target_spacing else _resizing(described)),
        },
        "scale_and_measurements": {
            name: value for name, value in described.to_dict().items() if name not in ("landmarks", "size")
        },
        "network": card.network,
        "sigma_px": card.sigma_of(domain),
        "calibration": card.calibration.get(domain),
        "provenance": card.provenance,
        "weights": [
            {"file": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()} for path in checkpoints
        ],
        "versions": {**state["versions"], "monai_gu2net": monai_gu2net.__version__},
        "intended_use": "Research; not for diagnosis",
    }


def _further_inputs(domain: Domain) -> dict[str, Any]:
    """What a file says of the inputs beside the image."""
    dims = domain.dims
    return {
        "spacing": {"shape": [dims], "dtype": "float32", "unit": "mm per pixel of the image given, axis by axis"},
        "start": {
            "shape": [dims],
            "dtype": "float32",
            "unit": "pixels of the target spacing, whole numbers from 0 on",
            "values": "where the part of the image starts that is seen, on axes where not all of it is: n = "
            "ceil((size - 1) * spacing / target_spacing + 0.5) pixels are there, and network_size of them seen; on "
            "other axes it is not read. Of several parts take for each landmark the one of the highest confidence",
        },
    }


_SMOOTHING = (
    "a Gaussian of sigma max(0, (factor - 1) / 2), integrated over pixels, cut off at floor(max(4 sigma, 0.5) + 0.5), "
    "zeros outside; then linear interpolation at "
)


def _resizing(domain: Domain) -> dict[str, str]:
    """What a file says of how the image is brought to the network's size."""
    padding = "the lowest value" if domain.dims == 3 else "zeros"
    return {
        "resizing": "scale = min(network_size / size); inner = min(network_size, max(1, round(size * scale))), halves "
        f"to even; along each axis with factor = size / inner {_SMOOTHING}factor * (i + 0.5) - 0.5; then {padding} "
        "around, before = floor((network_size - inner) / 2) of them before",
        "points": "(p - before + 0.5) * factor - 0.5 of p in pixels of the network",
    }


def _respacing(domain: Domain) -> dict[str, Any]:
    """The same of an image that is brought to the target spacing."""
    padding = "the lowest value" if domain.dims == 3 else "zeros"
    return {
        "target_spacing": list(domain.target_spacing or ()),
        "resizing": "n = ceil((size - 1) * spacing / target_spacing + 0.5); along each axis with factor "
        f"= target_spacing / spacing {_SMOOTHING}factor * i; then, where n <= network_size, {padding} around, before = "
        "floor((network_size - n) / 2) of them before; else the part from start on, before = -start",
        "points": "(p - before) * factor of p in pixels of the network",
    }


def _write(
    recorded: RecordedDetector, description: str, image: Tensor, domain: str, name: str, target: Path
) -> ExportedDetector:
    """Write the files of one format beside their place, check them, and put them there."""
    kind = DETECTOR_FORMATS[name]
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as folder:
        parts = [Path(folder) / f"{target.name}.{suffix}" for suffix in kind.suffixes]
        kind.write(recorded, description, parts[0])
        off_px, off_confidence = _check(recorded, kind.load(parts[0]), image, f"{target.name}.{kind.suffixes[0]}")
        files = [target.parent / part.name for part in parts]
        for part, file in reversed(list(zip(parts, files, strict=True))):
            with whole_file(file) as temporary:
                shutil.move(part, temporary)
    return ExportedDetector(domain, name, tuple(files), off_px, off_confidence)


def _check(recorded: RecordedDetector, run: Callable[..., Any], image: Tensor, name: str) -> tuple[float, float]:
    """How far a file's points and confidences are from PyTorch's at most.

    A landmark that is in none of the images may have two places that are as good, so most must agree, not all.

    Raises:
        ValueError: they are not the same.
    """
    with torch.no_grad():
        expected, sure = recorded.detector(image, *recorded.others.values())
    inputs = [each.numpy() for each in (image, *recorded.others.values())]
    points, confidence = (torch.from_numpy(each) for each in run(*inputs))
    distance = torch.linalg.vector_norm(points - expected, dim=-1)
    off = (confidence - sure).abs().nan_to_num(0.0)
    same = torch.equal(points.isnan(), expected.isnan()) and torch.equal(confidence.isnan(), sure.isnan())
    present = distance[~expected.isnan().any(dim=-1)]
    usual = present.median().item() if len(present) else 0.0
    if not (same and usual <= _MOST_PX and off.max().item() <= _MOST_CONFIDENCE):
        raise ValueError(
            f"{name} must give what PyTorch gives; got points {usual:.3g} px and confidences {off.max().item():.3g} "
            "beside it. It was not kept. Export in another format."
        )
    return present.max().item() if len(present) else 0.0, off.max().item()


def _others(domain: Domain) -> dict[str, Tensor]:
    """The further inputs of a domain's detector, such as they are: with voxels of 0.9 of the target spacing."""
    if domain.target_spacing is None:
        return {}
    return {"spacing": 0.9 * torch.tensor(domain.target_spacing), "start": torch.zeros(domain.dims)}


def _smooth_noise(domain: Domain) -> Tensor:
    """(2, C, *spatial) to check a detector on, the same each time, of another size than the network's."""
    coarse = (2, domain.in_channels, *(max(2, length // 16) for length in domain.size))
    noise = torch.rand(coarse, generator=torch.Generator().manual_seed(0))
    size = [length * 5 // 4 + 1 for length in domain.size]
    return functional.interpolate(noise, size=size, mode="bilinear" if len(size) == 2 else "trilinear")
