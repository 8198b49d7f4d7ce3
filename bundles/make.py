# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Write the bundles from ``bundles/template``: one per dataset mix, each complete in itself.

    python bundles/make.py [FOLDER]

The template is what to edit, and ``results.json`` for what the weights reached on test images; a test keeps the bundles
equal to what this writes. Weights (``models/``) are not touched.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from monai_gu2net import __version__
from monai_gu2net.data.phantom.case import EXAMINATIONS

HERE = Path(__file__).parent
MIXES = {
    "gu2net": ("head", "hand", "chest"),
    "gu2net_head": ("head",),
    "gu2net_hand": ("hand",),
    "gu2net_chest": ("chest",),
    "gu2net_spine": ("head", "hand", "chest", "spine"),
}


def make_bundle(name: str, folder: Path) -> None:
    """Write one bundle into a folder."""
    mix = MIXES[name]
    universal = len(mix) > 1
    domain = name.removeprefix("gu2net_") if name != "gu2net" else mix[0]
    landmarks = EXAMINATIONS[domain].domain.landmarks
    values: dict[str, Any] = {
        "domain": domain,
        # A universal bundle takes whatever domains its data has; the others keep to their own.
        "domains": None if universal else list(mix),
        "phantom_domains": list(mix),
        "declared_domains": {member: EXAMINATIONS[member].domain.to_dict() for member in mix},
        "channels": len(landmarks),
        "channel_def": {str(i): landmark for i, landmark in enumerate(landmarks)},
        "version": __version__,
        "eval_metrics": json.loads((HERE / "results.json").read_text(encoding="utf-8")).get(name, {}),
    }
    words = {
        "domain_name": domain,
        "name": name,
        "title": "GU2Net " + ", ".join(mix),
        "mix": ", ".join(mix),
    }
    for source in sorted((HERE / "template").rglob("*")):
        if not source.is_file():
            continue
        target = folder / name / source.relative_to(HERE / "template")
        target.parent.mkdir(parents=True, exist_ok=True)
        text = source.read_text(encoding="utf-8")
        for key, word in words.items():
            text = text.replace(f"{{{key}}}", word)
        if source.suffix == ".json":
            text = json.dumps(_filled(json.loads(text), values), indent=4) + "\n"
        target.write_text(text, encoding="utf-8")
    shutil.copy(HERE.parent / "LICENSE", folder / name / "LICENSE")


def _filled(content: Any, values: dict[str, Any]) -> Any:
    """The content with each string that is a placeholder, such as "{domain}", replaced by its value."""
    if isinstance(content, dict):
        return {key: _filled(value, values) for key, value in content.items()}
    if isinstance(content, list):
        return [_filled(value, values) for value in content]
    if isinstance(content, str) and content[:1] + content[-1:] == "{}":
        return values[content[1:-1]]
    return content


if __name__ == "__main__":
    for mix_name in MIXES:
        make_bundle(mix_name, Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
