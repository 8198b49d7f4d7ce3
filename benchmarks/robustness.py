# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""How far landmarks move when something happens to the image, and whether confidence and radius say so.

    python benchmarks/robustness.py MODEL [--datalist DATA.json] [-o FOLDER] [--corruptions NAME ...] [--pictures N]

Every image is corrupted in every way of ``corruptions.py``, at three strengths, written as a file and given to the
model as anybody's file. Without a datalist the images are the phantom's. Landmarks that are covered or cut off are left
out of all figures. The table has a line for each domain, corruption and strength:

- moved: share of the landmarks that were found more than 1 % of the image's height from where they were found before
- before, after: mean radial error of the same landmarks, in the domain's unit
- confidence, radius: Spearman's correlation with the error under corruption; one that says so has confidences that fall
  (-1) and radii that grow (1)
- within: share of the landmarks within their 90 % radius
- noticed: of the landmarks that moved, those whose presence is 0.05 or less, or whose radius reaches where they were
- turned: share of the images whose polarity was turned

and lines over all corruptions. FOLDER gets robustness.md, robustness.csv and, in rows/, what was found: a file for each
corruption and strength, of one model and one datalist. What is there is not measured again.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import tempfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from corruptions import CORRUPTIONS, Corrupted, moved_points, pixels_to_write
from numpy.typing import NDArray
from PIL import Image

from monai_gu2net.data import Datalist, Domain, case_spacing
from monai_gu2net.data.reader import RadiographReader
from monai_gu2net.data.spacing_source import points_of
from monai_gu2net.engines import keep_freed_memory
from monai_gu2net.evaluation import write_csv
from monai_gu2net.files import write_text_whole
from monai_gu2net.phantom import make_phantom
from monai_gu2net.phantom.phantom_case import EXAMINATIONS
from monai_gu2net.prediction import Predictor, fitting_cases
from monai_gu2net.report import table_markdown
from monai_gu2net.report.tables import table_of
from monai_gu2net.transforms import Found
from monai_gu2net.visualize import draw_landmarks, save_picture

Array = NDArray[np.float64]
KEY = ["domain", "case", "landmark"]
FAR = 0.01  # of the image's height: a landmark that moved
ABSENT = 0.05  # presence at which a landmark is doubted
COLUMNS = {
    "Domain": "{domain}",
    "Corruption": "{corruption}",
    "Strength": "{strength}",
    "Landmarks": "{landmarks}",
    "Moved": "{moved:.1f} %",
    "Before": "{before:.2f} {unit}",
    "After": "{after:.2f} {unit}",
    "Confidence": "{confidence:.2f}",
    "Radius": "{radius:.2f}",
    "Within": "{within:.1f} %",
    "Noticed": "{noticed:.1f} %",
    "Turned": "{turned:.1f} %",
}


def main() -> None:
    """Measure what is missing, and write the tables."""
    options = _options()
    keep_freed_memory()
    predictor = Predictor(options.model)
    data = Datalist.load(options.datalist or _phantom(predictor, options.output))
    domains, cases = fitting_cases(predictor.card, data, split=options.split)
    cases = [case for name in domains for case in [c for c in cases if c["domain"] == name][: options.images]]
    told = [
        *map(_digest, options.model),
        str([(case["case"], str(case["image"])) for case in cases]),
        str(options.seed),
    ]
    rows = options.output / "rows" / hashlib.sha256("\n".join(told).encode()).hexdigest()[:12]
    found = {}
    for name in dict.fromkeys(["none", *options.corruptions]):
        for step, strength in enumerate(CORRUPTIONS[name].strengths if name != "none" else (0.0,), start=1):
            file = rows / f"{name.replace(' ', '_')}-{step}.csv"
            if not file.is_file():
                sys.stderr.write(f"{name}, {strength:g} {CORRUPTIONS[name].unit}\n")
                write_csv(file, measured(predictor, domains, cases, name, strength, seed=options.seed))
            found[name, step] = pd.read_csv(file, dtype={"case": str, "landmark": str, "domain": str})
    compared = pd.concat([beside(table, found["none", 1]) for table in found.values()], ignore_index=True)
    table = summary(compared)
    text = table_markdown(table_of("Robustness", table, COLUMNS, text_columns=3))
    write_csv(options.output / "robustness.csv", table)
    write_text_whole(options.output / "robustness.md", f"{text}\n")
    sys.stdout.write(f"{text}\n")
    if options.pictures:
        draw_worst(compared, domains, cases, options)


def measured(
    predictor: Predictor,
    domains: Mapping[str, Domain],
    cases: Sequence[Mapping[str, Any]],
    name: str,
    strength: float,
    *,
    seed: int,
) -> pd.DataFrame:
    """What is found in the corrupted images, a row for each landmark to be seen, in pixels of the images before."""
    in_pixels = {key: replace(domain, spacing=None, reference=None) for key, domain in domains.items()}
    turned: set[tuple[str, str]] = set()

    def note(found: Found) -> None:
        if found.polarity:
            turned.add((found.domain.name, found.case))

    rows = []
    with tempfile.TemporaryDirectory() as folder:
        files, made = [], {}
        for number, case in enumerate(cases):
            picture, corrupted = corrupted_case(case, name, strength, seed=seed)
            path = Path(folder) / f"{number}.png"
            Image.fromarray(pixels_to_write(corrupted.picture)).save(path)
            files.append({"image": str(path), "domain": case["domain"], "case": str(number)})
            made[str(number)] = case, picture.shape[0], corrupted
        results, failures = predictor.run(files, domains=in_pixels, saves=[note])
        if failures:
            raise ValueError(f"Corrupted images must be predicted; got {failures[0]}. Mend the corruption.")
    for number, table in pd.DataFrame(results).groupby("case", sort=False):
        case, height, corrupted = made[number]
        domain = domains[case["domain"]]
        reference = points_of(case["landmarks"], 2)
        seen = np.isfinite(moved_points(reference, corrupted)).all(axis=1)
        back = np.linalg.inv(corrupted.matrix)
        points = table[["predicted_x", "predicted_y"]].to_numpy() @ back[:2, :2].T + back[:2, 2]
        spacing, _ = case_spacing(case, domain)
        length = np.ones(2) if spacing is None else np.array(spacing)
        error = np.linalg.norm((points - reference) * length, axis=1)
        per_pixel = np.sqrt(np.prod(length) * abs(np.linalg.det(back[:2, :2])))  # of a pixel of the corrupted file
        columns = {
            "domain": case["domain"],
            "case": case["case"],
            "landmark": domain.landmarks,
            "corruption": name,
            "strength": strength,
            "x": points[:, 0],
            "y": points[:, 1],
            "height": height,
            "unit": "px" if spacing is None else "mm",
            "error": np.where(np.isnan(points).any(axis=1), np.inf, error),
            "confidence": table["confidence"].to_numpy(),
            "presence": _column(table, "presence"),
            "radius": _column(table, "radius") * per_pixel,
            "mm": np.sqrt(np.prod(length)),
            "turned": (case["domain"], number) in turned,
        }
        rows.append(pd.DataFrame(columns)[seen])
    return pd.concat(rows, ignore_index=True)


def corrupted_case(case: Mapping[str, Any], name: str, strength: float, *, seed: int) -> tuple[Array, Corrupted]:
    """The picture of a case, and what the corruption makes of it; a case is drawn for as in every other run."""
    pixels = RadiographReader().get_data([Path(case["image"])])[0].T.astype(np.float64)
    low, most = min(0.0, float(pixels.min())), float(pixels.max())
    white = next(2.0**bits - 1 for bits in range(8, 64) if 2.0**bits - 1 >= most - low)
    picture = (pixels - low) / white
    draw = np.random.default_rng([seed, zlib.crc32(f"{case['domain']}/{case['case']}/{name}/{strength}".encode())])
    return picture, CORRUPTIONS[name].make(picture, strength, draw)


def beside(found: pd.DataFrame, before: pd.DataFrame) -> pd.DataFrame:
    """The rows with ``before``, the error without corruption, and ``moved``, how far from there in image heights."""
    columns = {"error": "before", "x": "x_before", "y": "y_before"}
    both = found.merge(before[[*KEY, *columns]].rename(columns=columns), on=KEY, validate="one_to_one")
    distance = np.hypot(both["x"] - both["x_before"], both["y"] - both["y_before"]) / both["height"]
    lost = both["x"].isna()
    return both.assign(moved=np.where(lost, np.where(both["x_before"].isna(), 0.0, np.inf), distance.fillna(np.inf)))


def summary(compared: pd.DataFrame) -> pd.DataFrame:
    """A line for each domain, corruption and strength, and for all corruptions of a domain together."""
    lines = []
    for domain, of_domain in compared.groupby("domain", sort=False):
        for (name, strength), part in of_domain.groupby(["corruption", "strength"], sort=False):
            lines.append({"domain": domain, "corruption": name, "strength": f"{strength:g}", **figures(part)})
        corrupted = of_domain[of_domain["corruption"] != "none"]
        if len(corrupted):
            lines.append({"domain": domain, "corruption": "all", "strength": "", **figures(corrupted)})
    return pd.DataFrame(lines)


def figures(part: pd.DataFrame) -> dict[str, Any]:
    """Of rows of one domain: see the head of this file; shares in percent, NaN where there is nothing to count."""
    moved = part["moved"] > FAR
    reach = part["radius"] >= part["moved"] * part["height"] * part["mm"]
    noticed = (part["presence"] <= ABSENT) | reach
    calibrated = part["radius"].notna().any()
    return {
        "landmarks": len(part),
        "unit": part["unit"].iloc[0],
        "moved": 100 * moved.mean(),
        "before": part["before"].mean(),
        "after": part["error"].mean(),
        "confidence": spearman(part["confidence"], part["error"]),
        "radius": spearman(part["radius"], part["error"]),
        "within": 100 * (part["error"] <= part["radius"]).mean() if calibrated else np.nan,
        "noticed": 100 * noticed[moved].mean() if calibrated and moved.any() else np.nan,
        "turned": 100 * part.groupby("case")["turned"].first().mean(),
    }


def spearman(first: pd.Series, second: pd.Series) -> float:
    """Spearman's correlation: Pearson's of the ranks, ties at their mean; NaN where one of the two is constant."""
    both = pd.DataFrame({"first": first, "second": second}).dropna().rank()
    if len(both) < 2 or both.nunique().min() < 2:
        return float("nan")
    return float(np.corrcoef(both["first"], both["second"])[0, 1])


def draw_worst(
    compared: pd.DataFrame,
    domains: Mapping[str, Domain],
    cases: Sequence[Mapping[str, Any]],
    options: argparse.Namespace,
) -> None:
    """Pictures of the images in which most landmarks moved, as many of each domain as are wanted."""
    by_name = {(case["domain"], case["case"]): case for case in cases}
    kinds = ["domain", "case", "corruption", "strength"]
    shares = compared.assign(far=compared["moved"] > FAR).groupby(kinds)["far"].mean().sort_values(ascending=False)
    for domain in domains:
        for rank, (_, case, name, strength) in enumerate(shares[[domain]].index[: options.pictures], start=1):
            _, corrupted = corrupted_case(by_name[domain, case], name, strength, seed=options.seed)
            part = compared[(compared[kinds] == [domain, case, name, strength]).all(axis=1)].set_index("landmark")
            part = part.reindex(domains[domain].landmarks)
            points = part[["x", "y"]].to_numpy() @ corrupted.matrix[:2, :2].T + corrupted.matrix[:2, 2]
            reference = moved_points(points_of(by_name[domain, case]["landmarks"], 2), corrupted)
            picture = draw_landmarks(
                corrupted.picture.T, predicted=points, reference=reference, title=f"{case}: {name}, {strength:g}"
            )
            save_picture(picture, options.output / "pictures" / f"{domain}-{rank}.png")


def _column(table: pd.DataFrame, name: str) -> Array:
    return table[name].to_numpy() if name in table else np.full(len(table), np.nan)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _phantom(predictor: Predictor, folder: Path) -> Path:
    """The phantom of those of the model's domains that it can draw."""
    drawn = [name for name, domain in predictor.card.domains.items() if name in EXAMINATIONS and len(domain.size) == 2]
    return make_phantom(folder / "phantom", domains=drawn)


def _options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, nargs="+", metavar="MODEL", help="several: an ensemble")
    parser.add_argument("--datalist", type=Path, metavar="DATA.json", help="(default: the phantom)")
    parser.add_argument("--split", default="validation", help="(default %(default)s)")
    parser.add_argument("-o", "--output", type=Path, default=Path("robustness"), help="folder (default %(default)s)")
    parser.add_argument("--images", type=int, help="of each domain at most (default: all)")
    parser.add_argument("--seed", type=int, default=0, help="of the draws (default %(default)s)")
    parser.add_argument("--pictures", type=int, default=0, help="of the worst images of each domain (default: none)")
    names = [name for name in CORRUPTIONS if name != "none"]
    parser.add_argument("--corruptions", nargs="+", choices=names, default=names, metavar="NAME", help=", ".join(names))
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
