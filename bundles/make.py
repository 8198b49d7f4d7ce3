# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Write the bundles from ``bundles/template``: one per dataset mix, each complete in itself.

What differs for volumes is in ``volume.json``, by the ids of the template's configurations.

    python bundles/make.py [FOLDER]
    python bundles/make.py FOLDER --domain head [--checkpoint MODEL]
    python bundles/make.py --weights MODEL

The template is what to edit, and ``results.json`` for what the weights reached on test images; a test keeps the bundles
equal to what this writes. Weights (``models/``) are not touched but by ``--weights``, which puts those of a universal
model into ``gu2net`` and those of its domains alone into their own bundles, in half precision.

With ``--domain`` it writes ``FOLDER/gu2net_DOMAIN`` for one domain of a trained model, which may be one of your own,
and its weights alone with it: complete for MONAI Label's app ``monaibundle``, whose folder of models is ``model``.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser

from monai_gu2net import __version__
from monai_gu2net.data import Domain
from monai_gu2net.networks import ModelCard, keep_domains, save_model
from monai_gu2net.phantom.phantom_case import EXAMINATIONS

HERE = Path(__file__).parent
MIXES = {
    "gu2net": ("head", "hand", "chest"),
    "gu2net_head": ("head",),
    "gu2net_hand": ("hand",),
    "gu2net_chest": ("chest",),
    "gu2net_spine": ("spine",),
    "gu2net_volume": ("head_ct",),
}
"""The domains that the phantom draws for each bundle; one with weights has those of its model."""
IMAGES: dict[int, dict[str, Any]] = {
    2: {
        "image": "radiograph",
        "pixels": "pixels",
        "modality": "radiograph",
        "data_type": "png",
        "spatial_shape": [128, 128],
    },
    3: {"image": "volume", "pixels": "voxels", "modality": "CT", "data_type": "nifti", "spatial_shape": [48, 48, 48]},
}
"""What the metadata say of images by their number of axes."""


def make_bundle(
    name: str,
    folder: Path,
    domains: Mapping[str, Domain],
    *,
    drawn: Sequence[str] | None = None,
    weights: ModelCard | None = None,
    card: ModelCard | None = None,
) -> None:
    """Write one bundle, without weights, into a folder.

    Args:
        name: of the bundle: one of `MIXES`, or ``gu2net_DOMAIN`` after the domain that it finds by default.
        folder: where the bundle's own folder goes.
        domains: by name, those of its model.
        drawn: names of those that the phantom draws where there is no data; None: all.
        weights: the card of those that the bundle has.
        card: of a model of your own, whose network and targets the configurations are to describe.
    """
    mix = tuple(domains)
    named_after = name.removeprefix("gu2net_")
    universal = len(mix) > 1 or named_after not in mix
    domain = named_after if named_after in mix else mix[0]
    landmarks, dims = domains[domain].landmarks, domains[domain].dims
    results = json.loads((HERE / "results.json").read_text(encoding="utf-8"))
    reached = {member: results[member] for member in mix if name in MIXES and member in results}
    values: dict[str, Any] = {
        **IMAGES[dims],
        "domain": domain,
        # A universal bundle takes whatever domains its data has; the others keep to their own.
        "domains": None if universal else list(mix),
        "phantom_domains": list(mix if drawn is None else drawn),
        "declared_domains": {member: each.to_dict() for member, each in domains.items()},
        "in_channels": domains[domain].in_channels,
        "channels": len(landmarks),
        "channel_def": {str(i): landmark for i, landmark in enumerate(landmarks)},
        "version": __version__,
        "eval_metrics": reached,
    }
    words = {
        "domain_name": domain,
        "name": name,
        "title": "GU2Net " + ", ".join(mix),
        "mix": ", ".join(mix),
        "image": IMAGES[dims]["image"],
        "pixels": IMAGES[dims]["pixels"],
        "results": _results_in_words(reached),
    }
    differences = json.loads((HERE / "volume.json").read_text(encoding="utf-8")) if dims == 3 else {}
    for source in sorted((HERE / "template").rglob("*")):
        if not source.is_file():
            continue
        target = folder / name / source.relative_to(HERE / "template")
        target.parent.mkdir(parents=True, exist_ok=True)
        text = source.read_text(encoding="utf-8")
        for key, word in words.items():
            text = text.replace(f"{{{key}}}", word)
        if source.suffix == ".json":
            content = _changed(_filled(json.loads(text), values), differences.get(source.name, {}))
            content = content if weights is None else _of_weights(content, weights)
            text = json.dumps(content if card is None else _of_model(content, card), indent=4) + "\n"
        target.write_text(text, encoding="utf-8")
    shutil.copy(HERE.parent / "LICENSE", folder / name / "LICENSE")


def make_bundle_of_domain(domain: str, folder: Path, checkpoint: Path) -> None:
    """Write the bundle of one domain of a trained model, with its weights, into a folder."""
    network, card = keep_domains(checkpoint, [domain])
    make_bundle(f"gu2net_{domain}", folder, card.domains, card=card)
    numbers = [value for value in network.state_dict().values() if value.is_floating_point()]
    # weights that come in half precision are written in it again, for that loses nothing
    half = all(torch.equal(value, value.half().float()) for value in numbers)
    save_model(folder / f"gu2net_{domain}" / "models" / "model.pt", network, card, half=half)


def put_weights(checkpoint: Path) -> None:
    """Put the weights of a universal model, and of each of its domains that has a bundle, into the bundles."""
    for name, mix in MIXES.items():
        domains = list(ModelCard.load(checkpoint).domains)
        kept = domains if len(mix) > 1 else [member for member in mix if member in domains]
        if kept:
            network, card = keep_domains(checkpoint, kept)
            save_model(HERE / name / "models" / "model.pt", network, card, half=True)


def _results_in_words(reached: Mapping[str, Any]) -> str:
    """What the weights reached on test images, a Markdown table."""
    if not reached:
        return "This bundle has no weights: train it, or load your own."
    lines = ["| domain | test images | mean radial error | 95 % interval | median |", "|---|---:|---:|---:|---:|"]
    for name, found in reached.items():
        low, high = found["mre_95_interval"]
        error = f"{found['mre']:g} {found['unit']} | {low:g} to {high:g} | {found['median']:g}"
        lines.append(f"| {name} | {found['images']} | {error} |")
    above = "What its weights reach on test images (`docs/results/accuracy.md` has the protocol):"
    return "\n".join([above, "", *lines])


def _of_weights(content: dict[str, Any], card: ModelCard) -> dict[str, Any]:
    """A configuration whose network is that of the bundle's weights, so that they can be loaded into it."""
    reach = {key: card.network["options"][key] for key in ("dilations", "downsample")}
    if content.get("card", {}).get("_target_") == "monai_gu2net.networks.card_of":
        content["card"] |= {"options": reach}
    # by domain it is of more domains than the phantom has, of which each has the default
    if "reach" in content and not any(isinstance(value, Mapping) for value in reach.values()):
        content["reach"] |= reach
    return content


def _of_model(content: dict[str, Any], card: ModelCard) -> dict[str, Any]:
    """A configuration with the network, the targets and the domains of a model."""
    if isinstance(content.get("network_def"), dict):
        content |= {"network_def": card.network_config(content["network_def"]), "sigma": card.sigma}
    if content.get("card", {}).get("_target_") == "monai_gu2net.networks.card_of":
        content["card"] |= {"network": card.network["name"], "options": card.network["options"]}
    drawn = {name: EXAMINATIONS[name].domain.landmarks for name in card.domains if name in EXAMINATIONS}
    if "data" in content and drawn != {name: domain.landmarks for name, domain in card.domains.items()}:
        content["data"]["declared"] = {name: domain.to_dict() for name, domain in card.domains.items()}
    return content


def _changed(content: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration with other values at some of its ids, such as "network_def#features"."""
    parser = ConfigParser(content)
    for place, value in changes.items():
        parser[place] = value
    changed: dict[str, Any] = parser.get()
    return changed


def _filled(content: Any, values: dict[str, Any]) -> Any:
    """The content with each string that is a placeholder, such as "{domain}", replaced by its value."""
    if isinstance(content, dict):
        return {key: _filled(value, values) for key, value in content.items()}
    if isinstance(content, list):
        return [_filled(value, values) for value in content]
    if isinstance(content, str) and content[:1] + content[-1:] == "{}":
        return values[content[1:-1]]
    return content


def _main() -> None:
    parser = argparse.ArgumentParser(description="Write the bundles from bundles/template.")
    parser.add_argument("folder", nargs="?", type=Path, default=HERE, help="where they go; by default bundles/ itself")
    parser.add_argument("--domain", help="only the bundle of this domain of a trained model, with its weights")
    parser.add_argument("--checkpoint", type=Path, default=HERE / "gu2net" / "models" / "model.pt", help="the model")
    parser.add_argument("--weights", type=Path, help="a universal model, whose weights go into the bundles")
    options = parser.parse_args()
    if options.domain is not None:
        make_bundle_of_domain(options.domain, options.folder, options.checkpoint)
        return
    if options.weights is not None:
        put_weights(options.weights)
    for name, mix in MIXES.items():
        weights = HERE / name / "models" / "model.pt"
        drawn = {member: EXAMINATIONS[member].domain for member in mix}
        card = ModelCard.load(weights) if weights.is_file() else None
        make_bundle(name, options.folder, drawn if card is None else card.domains, drawn=mix, weights=card)


if __name__ == "__main__":
    _main()
