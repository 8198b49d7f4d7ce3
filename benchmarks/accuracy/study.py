# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Train and measure variants of the bundle's configuration on the same cases, and compare them.

    python benchmarks/accuracy/study.py STUDY.json --datalist DATA.json -o FOLDER [--folds 3 [--only-folds 0]]
        [--seeds 0 1 2] [--variants NAME ...] [--set max_epochs=30 ...]

A study is a JSON file: ``about`` (what is asked), ``options`` (configuration overrides of all variants) and ``variants``
(name -> overrides; ``"apart": true`` among them trains one model for each domain instead of one for all). The first
variant is what the others are compared with, by a paired bootstrap over images.

With ``--folds K`` the test part is never touched: the patients of the training part are divided into K folds of each
domain, each fold is predicted by a model trained on the others, and the datalist's validation part chooses the epoch.
Without it the variants are measured on the test part, which is for reporting and not for choosing.

Each training is a process of its own. One that was interrupted goes on from its last epoch, one that is done is not run
again. The result is FOLDER/study.md, study.json, and per variant landmarks.csv (the rows of all folds) in its folder.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from monai_gu2net.data import Datalist
from monai_gu2net.landmarks.formats.parsing import write_text_whole
from monai_gu2net.networks import load_model
from monai_gu2net.visualize import compare_rows, read_rows, summarize_rows, write_rows

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "bundles" / "gu2net" / "configs" / "train.json"

Rows = list[dict[str, Any]]


def main() -> None:
    """Run the trainings that are missing, then write the tables."""
    options = _options()
    study = json.loads(options.study.read_text(encoding="utf-8"))
    data = Datalist.load(options.datalist)
    overrides = {**study.get("options", {}), **dict(map(_setting, options.set))}
    variants = {name: dict(study["variants"][name]) for name in options.variants or study["variants"]}
    parts = folds(data, options.folds) if options.folds else {"test": data}
    if options.only_folds:
        parts = {name: part for name, part in parts.items() if name in {f"fold{k}" for k in options.only_folds}}
    results: dict[str, Any] = {}
    for name, variant in variants.items():
        apart = variant.pop("apart", False)
        by_seed = []
        for seed in options.seeds:
            rows: Rows = []
            seconds, parameters = 0.0, 0
            for place, part in parts.items():
                for mix in [[domain] for domain in part.domains] if apart else [list(part.domains)]:
                    folder = options.output / _slug(name) / f"seed{seed}" / place / ("-".join(mix) if apart else "all")
                    done = train(part.only(mix), folder, {**overrides, **variant, "seed": seed})
                    rows += read_rows(folder / "report" / "landmarks.csv")
                    seconds += done["seconds"]
                    parameters += done["parameters"] if place == next(iter(parts)) else 0
            by_seed.append(rows)
        pooled = mean_over_seeds(by_seed)
        write_rows(options.output / _slug(name) / "landmarks.csv", pooled)
        results[name] = {"rows": pooled, "seeds": by_seed, "seconds": seconds, "parameters": parameters}
        _write(options.output, study, data, overrides, options, results)
    sys.stdout.write((options.output / "study.md").read_text(encoding="utf-8"))


def folds(data: Datalist, count: int) -> dict[str, Datalist]:
    """The training part in folds by patient: each fold is the test part of one datalist, the others train."""
    ordered: dict[str, list[str]] = {}
    for domain in data.domains:
        patients = {case["patient"] for case in data.training if case["domain"] == domain}
        ordered[domain] = sorted(patients, key=lambda p: hashlib.sha256(f"{domain}\0{p}".encode()).digest())
    fold_of = {(domain, p): k % count for domain, patients in ordered.items() for k, p in enumerate(patients)}
    parts = {}
    for fold in range(count):
        held = [case for case in data.training if fold_of[case["domain"], case["patient"]] == fold]
        kept = [case for case in data.training if fold_of[case["domain"], case["patient"]] != fold]
        parts[f"fold{fold}"] = Datalist(
            f"{data.name}, fold {fold} of {count}", data.domains, kept, data.validation, held
        )
    return parts


def train(data: Datalist, folder: Path, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """One run of the bundle: training and evaluation; what is there already is kept."""
    done = folder / "done.json"
    if not done.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        data.save(folder / "datalist.json")
        arguments = {
            "run_id": "training",
            "config_file": str(CONFIG),
            "datalist": str(folder / "datalist.json"),
            "output_dir": str(folder),
            "resume": True,
            **overrides,
        }
        write_text_whole(folder / "arguments.json", json.dumps(arguments, indent=1))
        start = time.monotonic()
        with (folder / "log.txt").open("a", encoding="utf-8") as log:
            command = [sys.executable, "-m", "monai.bundle", "run", "--args_file", str(folder / "arguments.json")]
            failed = subprocess.run(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT).returncode
        if failed:
            raise SystemExit(f"{folder}: the training failed; see log.txt there. Mend it and start the study again.")
        network, _ = load_model(folder / "model.pt")
        count = sum(parameter.numel() for parameter in network.parameters())
        content = {"seconds": time.monotonic() - start, "parameters": count}
        write_text_whole(done, json.dumps(content))
    result: dict[str, Any] = json.loads(done.read_text(encoding="utf-8"))
    return result


def mean_over_seeds(by_seed: Sequence[Rows]) -> Rows:
    """One table whose errors are the means over the seeds; of one seed it is the table itself."""
    if len(by_seed) == 1:
        return by_seed[0]
    key = ("domain", "case", "landmark")
    tables = [{tuple(row[k] for k in key): row["error"] for row in rows} for rows in by_seed]
    blank = {"predicted_x": np.nan, "predicted_y": np.nan, "confidence": np.nan, "radius": np.nan}
    return [
        {**row, **blank, "error": float(np.mean([table[tuple(row[k] for k in key)] for table in tables]))}
        for row in by_seed[0]
    ]


def _write(
    folder: Path,
    study: Mapping[str, Any],
    data: Datalist,
    overrides: Mapping[str, Any],
    options: argparse.Namespace,
    results: Mapping[str, Mapping[str, Any]],
) -> None:
    """study.json and study.md of what is done so far."""
    first = next(iter(results))
    lines = [f"# {study['about']}\n"]
    cases = f"{options.folds} folds of the training part" if options.folds else "the test part"
    if options.only_folds:
        cases += f", of which {options.only_folds}"
    lines.append(
        f"Data: {data.name}; measured on {cases}; seeds {options.seeds}; all variants: `{json.dumps(overrides)}`\n"
    )
    content: dict[str, Any] = {"about": study["about"], "options": dict(overrides), "cases": cases, "variants": {}}
    for domain in data.domains:
        lines += [
            f"## {domain}\n",
            f"| variant | parameters (M) | minutes | n | MRE | 95 % interval | median | SDR | minus {first} | p |",
            "|---|---:|---:|---:|---:|---|---:|---|---|---:|",
        ]
        for name, result in results.items():
            rows = [row for row in result["rows"] if row["domain"] == domain]
            if not rows:
                continue
            total = next(s for s in summarize_rows(rows) if s["landmark"] is None)
            seeds = [float(np.nanmean([r["error"] for r in rows if r["domain"] == domain])) for rows in result["seeds"]]
            entry = {
                key: total[key] for key in ("unit", "images", "count", "mre", "mre_low", "mre_high", "median", "sdr")
            }
            entry |= {"mre_by_seed": seeds, "seconds": result["seconds"], "parameters": result["parameters"]}
            difference, p = "", ""
            if name != first:
                base = [row for row in results[first]["rows"] if row["domain"] == domain]
                pair = compare_rows(base, rows)
                entry["difference"] = pair
                difference, p = _difference(pair)
            content["variants"].setdefault(name, {})[domain] = entry
            sdr = " / ".join(f"{value:.1f}" for value in total["sdr"].values())
            lines.append(
                f"| {name} | {result['parameters'] / 1e6:.2f} | {result['seconds'] / 60:.1f} | {total['images']} "
                f"| {total['mre']:.3f} {total['unit']} | {total['mre_low']:.3f} to {total['mre_high']:.3f} "
                f"| {total['median']:.3f} | {sdr} | {difference} | {p} |"
            )
        lines.append("")
    write_text_whole(folder / "study.json", json.dumps(content, indent=1, default=str))
    write_text_whole(folder / "study.md", "\n".join(lines))


def _difference(pair: Any) -> tuple[str, str]:
    """Mean difference with its interval, and p, as text."""
    total = next(entry for entry in pair if entry["landmark"] is None)
    text = f"{total['difference']:+.3f} ({total['difference_low']:+.3f} to {total['difference_high']:+.3f})"
    return text, f"{total['p']:.3f}"


def _setting(text: str) -> tuple[str, Any]:
    name, _, value = text.partition("=")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value


def _slug(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-." else "_" for c in name)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path)
    parser.add_argument("--datalist", type=Path, required=True)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--folds", type=int, default=0, help="cross-validation within the training part")
    parser.add_argument("--only-folds", type=int, nargs="+", help="run these folds alone")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--variants", nargs="+", help="by default all")
    parser.add_argument("--set", nargs="*", default=[], metavar="OPTION=VALUE", help="override of all variants")
    return parser.parse_args()


if __name__ == "__main__":
    main()
