# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""How well the domain of an image is told by its looks, and what is none of them is refused.

    python benchmarks/accuracy/recognition.py DATALIST... [--part validation] [--json FILE]

Datalists of one or several domains of radiographs. Appearances are fitted to the training parts; the figures are of the
part named, or of images kept out of the training parts (--part inner, by patient, for choices). Foreign pictures are
those that scikit-image brings (of the "test" extra), noise, and shapes that are drawn.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from monai_gu2net.data import Datalist
from monai_gu2net.transforms import LoadRadiographd
from monai_gu2net.transforms.picture_features import FEATURE_WEIGHTS, changed_versions, picture_features
from monai_gu2net.transforms.tell_domain import upright_picture
from monai_gu2net.uncertainty import Appearance, fit_appearance, most_like

_LONGEST = 640  # pixels at which images are changed, as is usual of radiographs here
_INNER = 4  # one patient in so many is kept out of the training part


def turned(image: Tensor, degrees: float) -> Tensor:
    """About the middle, with black beyond."""
    from skimage.transform import rotate

    low = float(image.min())
    array = rotate(image[0].numpy().T - low, degrees, preserve_range=True, order=1).T + low
    return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))[None]


def cropped(image: Tensor, left: float, top: float, right: float, bottom: float) -> Tensor:
    """Without shares of width and height."""
    width, height = image.shape[1:]
    across, down = slice(round(left * width), round((1 - right) * width)), slice(round(top * height), None)
    return image[:, across, down][:, :, : round((1 - top - bottom) * height)]


def bordered(image: Tensor, share: float, value: str) -> Tensor:
    """With a border of a share of the longer side, black or white."""
    width = round(share * max(image.shape[1:]))
    return functional.pad(image, [width] * 4, value=float(image.min() if value == "black" else image.max()))


def power(image: Tensor, exponent: float) -> Tensor:
    """Another contrast."""
    low, high = image.min(), image.max()
    return ((image - low) / (high - low + 1e-6)) ** exponent * 255


def noisy(image: Tensor, share: float) -> Tensor:
    """With noise of a share of the deviation."""
    return image + share * image.std() * torch.randn(image.shape, generator=torch.Generator().manual_seed(0))


CHANGES: dict[str, Callable[[Tensor], Tensor]] = {
    "as it is": lambda image: image,
    "inverted": lambda image: -image,
    "gamma 0.5": lambda image: power(image, 0.5),
    "gamma 2": lambda image: power(image, 2),
    "noise of 20 %": lambda image: noisy(image, 0.2),
    "black border 5 %": lambda image: bordered(image, 0.05, "black"),
    "black border 10 %": lambda image: bordered(image, 0.1, "black"),
    "white border 5 %": lambda image: bordered(image, 0.05, "white"),
    "cropped by 5 % all round": lambda image: cropped(image, 0.05, 0.05, 0.05, 0.05),
    "cropped by 10 % all round": lambda image: cropped(image, 0.1, 0.1, 0.1, 0.1),
    "cropped by 20 % on the left": lambda image: cropped(image, 0.2, 0, 0, 0),
    "cropped by 20 % at the top": lambda image: cropped(image, 0, 0.2, 0, 0),
    "turned by 5 degrees": lambda image: turned(image, 5),
    "turned by 10 degrees": lambda image: turned(image, 10),
    "turned by 25 degrees": lambda image: turned(image, 25),
    "turned by 90 degrees": lambda image: image.transpose(1, 2).flip(1),
    "mirrored": lambda image: image.flip(1),
}


def foreign_pictures() -> dict[str, Tensor]:
    """Pictures of no domain, by name."""
    import skimage
    from PIL import Image

    made: dict[str, Any] = {}
    for path in sorted((Path(skimage.__file__).parent / "data").glob("*")):
        if path.suffix in (".png", ".jpg"):
            made[path.name] = np.asarray(Image.open(path).convert("L"), dtype=np.float32)
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:512, :448].astype(np.float32)
    made |= {"black": 0 * x, "gradient": x, "stripes": (x // 32) % 2}
    made |= {"noise": rng.random((512, 448)), "blocks": np.kron(rng.random((8, 7)), np.ones((64, 64)))}
    made["disc"] = np.hypot(x - 224, y - 256) < 160
    made["ring"] = np.abs(np.hypot(x - 224, y - 256) - 160) < 16
    made["rectangle"] = (abs(x - 224) < 120) & (abs(y - 256) < 160)
    for number in range(20):
        drawn = np.zeros((512, int(512 * rng.uniform(0.5, 1.3))))
        y, x = np.mgrid[: drawn.shape[0], : drawn.shape[1]]
        for _ in range(rng.integers(2, 8)):
            down, across = rng.uniform(0, drawn.shape[0]), rng.uniform(0, drawn.shape[1])
            inside = ((y - down) / rng.uniform(20, 160)) ** 2 + ((x - across) / rng.uniform(20, 160)) ** 2 < 1
            drawn += inside * rng.uniform(-100, 150)
        made[f"ellipses {number}"] = drawn
    return {name: torch.from_numpy(np.ascontiguousarray(np.float32(each).T))[None] for name, each in made.items()}


def area_under_curve(inside: Sequence[float], outside: Sequence[float]) -> float:
    """Share of pairs in which the one inside has the lower score, those of one score by half."""
    low, high = np.asarray(inside)[:, None], np.asarray(outside)[None]
    return float((low < high).mean() + (low == high).mean() / 2)


def measure(
    appearances: Mapping[str, Appearance], pictures: Mapping[str, Sequence[Tensor]], foreign: Mapping[str, Tensor]
) -> dict[str, Any]:
    """All figures.

    Args:
        appearances: by domain.
        pictures: by domain, those that took no part in the fit.
        foreign: pictures of no domain.

    Returns:
        ``pairs`` and ``left_out`` (areas under the curve), ``foreign`` (area, accepted ones), ``changes`` (of each
        change and domain the shares told rightly, told wrongly and refused).
    """
    features = {name: np.stack([picture_features(each) for each in of]) for name, of in pictures.items()}
    odd = np.stack([picture_features(each) for each in foreign.values()])
    density = {
        name: {other: each.log_likelihoods(lines) for other, each in appearances.items()}
        for name, lines in features.items()
    }
    pairs = {
        f"{one} and {other}": area_under_curve(
            density[one][other] - density[one][one], density[other][other] - density[other][one]
        )
        for one, other in combinations(appearances, 2)
    }

    def lowest(lines: np.ndarray, without: str = "") -> np.ndarray:
        return np.min([each.scores(lines) for name, each in appearances.items() if name != without], axis=0)

    known = np.concatenate([lowest(lines) for lines in features.values()])
    accepted = {name: round(float(score), 3) for name, score in zip(foreign, lowest(odd), strict=True) if score <= 1}
    left_out = {}
    for name in appearances if len(appearances) > 1 else ():
        others = np.concatenate([lowest(lines, name) for each, lines in features.items() if each != name])
        scores = lowest(features[name], name)
        left_out[name] = {"area": area_under_curve(others, scores), "refused": float((scores > 1).mean())}
    changes: dict[str, dict[str, list[float]]] = {}
    for change, apply in CHANGES.items():
        for name, of in pictures.items():
            told = [most_like(appearances, picture_features(apply(each))) for each in of]
            refused = [scores[domain] > 1 for domain, scores in told]
            right = [domain == name and not no for (domain, _), no in zip(told, refused, strict=True)]
            wrong = [domain != name and not no for (domain, _), no in zip(told, refused, strict=True)]
            changes.setdefault(change, {})[name] = [float(np.mean(each)) for each in (right, wrong, refused)]
    return {
        "images": {name: len(of) for name, of in pictures.items()},
        "pairs": pairs,
        "foreign": {"pictures": len(foreign), "area": area_under_curve(known, lowest(odd)), "accepted": accepted},
        "left_out": left_out,
        "changes": changes,
    }


def inner_parts(cases: Sequence[Mapping[str, Any]]) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    """Cases to fit and cases to choose by, of different patients."""
    patients = sorted({case["patient"] for case in cases})
    kept_out = set(np.random.default_rng(0).permutation(patients)[: max(2, len(patients) // _INNER)].tolist())
    return [c for c in cases if c["patient"] not in kept_out], [c for c in cases if c["patient"] in kept_out]


def read(cases: Sequence[Mapping[str, Any]]) -> list[Tensor]:
    """The pictures of cases in grey, at most 640 pixels long."""
    load, made = LoadRadiographd("image"), []
    for case in cases:
        picture = upright_picture(load({"image": case["image"]})).float()
        scale = min(1.0, _LONGEST / max(picture.shape[1:]))
        size = [round(length * scale) for length in picture.shape[1:]]
        made.append(functional.interpolate(picture[None], size, mode="bilinear", antialias=True)[0])
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("datalists", nargs="+", type=Path)
    parser.add_argument("--part", choices=("inner", "validation", "test"), default="inner")
    parser.add_argument("--most", type=int, default=100, help="images of a domain that are measured")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    appearances, pictures, seconds = {}, {}, []
    for data in map(Datalist.load, options.datalists):
        for name in data.domains:
            one = data.only([name])
            fitted, measured = (
                inner_parts(one.training) if options.part == "inner" else (one.training, one.cases(options.part))
            )
            lines = [np.stack(list(map(picture_features, changed_versions(each)))) for each in read(fitted)]
            of = [case["patient"] for case, each in zip(fitted, lines, strict=True) for _ in each]
            appearances[name] = fit_appearance(np.concatenate(lines), of, weights=FEATURE_WEIGHTS)
            pictures[name] = read(measured[:: max(1, len(measured) // options.most)])
            begun = time.perf_counter()
            for each in pictures[name]:
                picture_features(each)
            seconds.append((time.perf_counter() - begun) / len(pictures[name]))
            sys.stderr.write(f"{name}: {len(fitted)} images fitted, {len(pictures[name])} measured\n")
    found = measure(appearances, pictures, foreign_pictures())
    found["milliseconds"] = 1000 * max(seconds)
    found["fitted"] = {name: each.images for name, each in appearances.items()}
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(table(found))


def table(found: Mapping[str, Any]) -> str:
    """The figures as Markdown."""
    names = list(found["images"])
    worst = min(found["pairs"], key=found["pairs"].get) if found["pairs"] else ""
    lines = ["| | " + " | ".join(names) + " |", "|---|" + "---|" * len(names)]
    lines.append(
        "| images fitted / measured | "
        + " | ".join(f"{found['fitted'][n]} / {found['images'][n]}" for n in names)
        + " |"
    )
    for change, of in found["changes"].items():
        cells = [" / ".join(f"{100 * share:.0f}" for share in of[name]) for name in names]
        lines.append(f"| {change} | " + " | ".join(cells) + " |")
    if found["left_out"]:
        cells = [f"{found['left_out'][n]['area']:.3f}, {100 * found['left_out'][n]['refused']:.0f} %" for n in names]
        lines.append("| domain left out: area, refused | " + " | ".join(cells) + " |")
    lines.append("")
    if worst:
        areas = list(found["pairs"].values())
        lines.append(f"Pairs: mean area {np.mean(areas):.4f}, lowest {found['pairs'][worst]:.4f} ({worst})")
    odd = found["foreign"]
    lines.append(f"Foreign: {odd['pictures']} pictures, area {odd['area']:.4f}, accepted {odd['accepted'] or 'none'}")
    lines.append(f"Time: {found['milliseconds']:.1f} ms an image")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
