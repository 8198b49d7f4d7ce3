# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Train and measure variants of the bundle's configuration on the same cases, and compare them.

    python benchmarks/accuracy/study.py STUDY.json --datalist DATA.json -o FOLDER [--folds 3 [--only-folds 0]]
        [--seeds 0 1 2] [--variants NAME ...] [--training-cases 30] [--set max_epochs=30 ...]

A study is a JSON file: ``about`` (what is asked), ``bundle`` (whose configuration it is about, by default ``gu2net``),
``options`` (overrides of it for all variants) and
``variants`` (name -> overrides; ``"apart": true`` among them trains one model for each domain instead of one for
all, with as many batches of it; ``"config_file"`` names a file beside the study that is merged into the bundle's
configuration). The others are compared with the first variant, by a paired bootstrap over images.

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
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from monai_gu2net.data import Datalist
from monai_gu2net.evaluation import compare_rows, read_rows, summarize_rows, write_rows
from monai_gu2net.evaluation.result_table import KEY
from monai_gu2net.files import write_text_whole
from monai_gu2net.networks import load_model
from monai_gu2net.report.tables import jsonable
from monai_gu2net.transforms import with_mean_shapes

ROOT = Path(__file__).parents[2]


def main() -> None:
    """Run the trainings that are missing, then write the tables."""
    options = _options()
    study = json.loads(options.study.read_text(encoding="utf-8"))
    config = ROOT / "bundles" / study.get("bundle", "gu2net") / "configs" / "train.json"
    data = Datalist.load(options.datalist)
    overrides = {**study.get("options", {}), **dict(map(_setting, options.set))}
    variants = {name: dict(study["variants"][name]) for name in options.variants or study["variants"]}
    if options.training_cases:
        data = with_training_cases(data, options.training_cases)
    parts = folds(data, options.folds) if options.folds else {"test": data}
    if options.only_folds:
        parts = {name: part for name, part in parts.items() if name in {f"fold{k}" for k in options.only_folds}}
    told = {
        "data": data.name,
        "measured on": f"{', '.join(parts)} of {options.folds} folds of the training part" if options.folds else "test",
        "input": {name: list(domain.size) for name, domain in data.domains.items()},
        "training cases": {n: sum(c["domain"] == n for c in data.training) for n in data.domains},
        "seeds": options.seeds,
        "options of all variants": overrides,
    }
    results: dict[str, Any] = {}
    for name, variant in variants.items():
        apart = variant.pop("apart", False)
        if "config_file" in variant:
            variant["config_file"] = [str(config), str(options.study.resolve().parent / variant["config_file"])]
        by_seed = []
        seconds = 0.0
        for seed in options.seeds:
            tables = []
            parameters = 0
            for place, part in parts.items():
                for mix in [[domain] for domain in part.domains] if apart else [list(part.domains)]:
                    folder = options.output / _slug(name) / f"seed{seed}" / place / ("-".join(mix) if apart else "all")
                    settings = {**overrides, **variant, "seed": seed}
                    if apart:
                        settings["batches_per_epoch"] = own_batches(part, mix[0], config, settings)
                    done = train(part.only(mix), folder, {"config_file": str(config), **settings})
                    tables.append(read_rows(folder / "report" / "landmarks.csv"))
                    seconds += done["seconds"]
                    parameters += done["parameters"] if place == next(iter(parts)) else 0
            by_seed.append(pd.concat(tables, ignore_index=True))
        pooled = mean_over_seeds(by_seed)
        write_rows(options.output / _slug(name) / "landmarks.csv", pooled)
        results[name] = {"table": pooled, "seeds": by_seed, "seconds": seconds, "parameters": parameters}
        _write(options.output, study["about"], told, results)
    sys.stdout.write((options.output / "study.md").read_text(encoding="utf-8"))


def place_of(data: Datalist) -> dict[tuple[str, str], int]:
    """The place of each patient of the training part in an order of its domain that does not depend on the others."""
    patients = {domain: {c["patient"] for c in data.training if c["domain"] == domain} for domain in data.domains}
    seen = Counter(patient for each in patients.values() for patient in each)
    # who is in several domains has one place, so that nobody is trained on in one and measured in the other
    shared = sorted((patient for patient, count in seen.items() if count > 1), key=lambda p: _order("", p))
    places: dict[tuple[str, str], int] = {}
    for domain, own in patients.items():
        alone = sorted(own - set(shared), key=lambda p: _order(domain, p))
        taken = {place: patient for place, patient in enumerate(shared) if patient in own}
        free = (place for place in range(len(own) + len(shared)) if place not in taken)
        ordered = [*taken.items(), *zip(free, alone, strict=False)]
        places |= {(domain, patient): place for place, patient in ordered}
    return places


def _order(domain: str, patient: str) -> bytes:
    return hashlib.sha256(f"{domain}\0{patient}".encode()).digest()


def with_training_cases(data: Datalist, count: int) -> Datalist:
    """The datalist with the first cases of each domain to train on; a smaller count is part of a larger one."""
    places = place_of(data)
    ordered = sorted(data.training, key=lambda case: places[case["domain"], case["patient"]])
    kept = [[case for case in ordered if case["domain"] == domain][:count] for domain in data.domains]
    name = f"{data.name}, {count} training cases"
    return Datalist(name, data.domains, [case for cases in kept for case in cases], data.validation, data.test)


def folds(data: Datalist, count: int) -> dict[str, Datalist]:
    """The training part in folds by patient: each fold is the test part of one datalist, the others train."""
    fold_of = {patient: place % count for patient, place in place_of(data).items()}
    parts = {}
    for fold in range(count):
        held = [case for case in data.training if fold_of[case["domain"], case["patient"]] == fold]
        kept = [case for case in data.training if fold_of[case["domain"], case["patient"]] != fold]
        part = Datalist(f"{data.name}, fold {fold} of {count}", data.domains, kept, data.validation, held)
        parts[f"fold{fold}"] = with_mean_shapes(part)  # which are of those who are trained on
    return parts


def own_batches(data: Datalist, domain: str, config: Path, settings: Mapping[str, Any]) -> int:
    """As many batches of a domain as an epoch of one model for all domains has of it."""
    settings = {**json.loads(config.read_text(encoding="utf-8")), **settings}
    temperature = settings["temperature"]
    # without a number of batches an epoch has as many as cover the data
    total = settings["batches_per_epoch"] or -(-len(data.training) // settings["batch_size"])
    sizes = {name: sum(case["domain"] == name for case in data.training) for name in data.domains}
    share = sizes[domain] ** temperature / sum(size**temperature for size in sizes.values())
    return max(1, round(share * total))


def train(data: Datalist, folder: Path, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """One run of the bundle: training and evaluation; what is there already is kept."""
    done = folder / "done.json"
    if not done.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        data.save(folder / "datalist.json")
        arguments = {
            "run_id": "training",
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


def mean_over_seeds(by_seed: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """One table whose errors are the means over the seeds; of one seed it is the table itself."""
    if len(by_seed) == 1:
        return by_seed[0]
    errors = [table.set_index(KEY)["error"].reindex(by_seed[0].set_index(KEY).index) for table in by_seed]
    blank = dict.fromkeys(["predicted_x", "predicted_y", "confidence", "radius", "presence"], np.nan)
    return by_seed[0].assign(**blank, error=np.mean(errors, axis=0))


def _write(folder: Path, about: str, told: Mapping[str, Any], results: Mapping[str, Mapping[str, Any]]) -> None:
    """study.json and study.md of what is done so far."""
    first = next(iter(results))
    table = results[first]["table"]
    compared = {name: compare_rows(table, result["table"]) for name, result in results.items() if name != first}
    content: dict[str, Any] = {"about": about, **told, "variants": {}}
    lines = {}
    for name, result in results.items():
        pairs = totals(compared[name].summaries) if name in compared else []
        differences = {(pair["domain"], pair["unit"]): pair for pair in pairs}
        for total in totals(summarize_rows(result["table"])):
            group = total["domain"], total["unit"]
            pair = differences.get(group)
            by_seed = [mean_error(table, total["domain"]) for table in result["seeds"]]
            lines.setdefault(group, []).append(_line(name, total, result, by_seed, pair))
            content["variants"].setdefault(name, {})[f"{total['domain']} ({total['unit']})"] = {
                **total,
                "mre_by_seed": by_seed,
                "difference": pair,
                "seconds": result["seconds"],
                "parameters": result["parameters"],
            }
    text = [f"# {about}\n", *(f"- {key}: {json.dumps(value)}" for key, value in told.items()), ""]
    header = ["variant", "parameters (M)", "minutes", "images", "MRE", "95 % interval", "by seed", "median"]
    header += ["SDR 2 / 2.5 / 3 / 4", f"minus {first}", "95 % interval", "p"]
    for (domain, unit), rows in lines.items():
        table = [header, ["---"] * len(header), *rows]
        text += [f"## {domain} ({unit})\n", *(f"| {' | '.join(cells)} |" for cells in table), ""]
    write_text_whole(folder / "study.json", json.dumps(jsonable(content), indent=1))
    write_text_whole(folder / "study.md", "\n".join(text))


def _line(
    name: str, total: Mapping[str, Any], result: Mapping[str, Any], by_seed: Sequence[float], pair: Any
) -> list[str]:
    """The cells of one variant in the table of a domain."""
    cells = [name, f"{result['parameters'] / 1e6:.2f}", f"{result['seconds'] / 60:.1f}", str(total["images"])]
    cells += [f"{total['mre']:.3f}", f"{total['mre_low']:.3f} to {total['mre_high']:.3f}"]
    cells += [", ".join(f"{value:.3f}" for value in by_seed), f"{total['median']:.3f}"]
    cells += [" / ".join(f"{value:.1f}" for column, value in total.items() if column.startswith("sdr_"))]
    if pair is None:
        return [*cells, "", "", ""]
    return [*cells, f"{pair['difference']:+.3f}", f"{pair['low']:+.3f} to {pair['high']:+.3f}", f"{pair['p']:.3f}"]


def totals(summaries: pd.DataFrame) -> list[dict[str, Any]]:
    """The summaries of whole domains."""
    return summaries[summaries["landmark"].isna()].to_dict("records")


def mean_error(table: pd.DataFrame, domain: str) -> float:
    """Mean radial error of a domain over its annotated landmarks."""
    return float(np.nanmean(table.loc[table["domain"] == domain, "error"].to_numpy()))


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
    parser.add_argument("--training-cases", type=int, help="train on so many cases of each domain")
    parser.add_argument("--set", nargs="*", default=[], metavar="OPTION=VALUE", help="override of all variants")
    return parser.parse_args()


if __name__ == "__main__":
    main()
