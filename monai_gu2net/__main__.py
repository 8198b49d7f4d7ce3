# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The command line: prepare data, evaluate and calibrate a model, predict landmarks, look into a checkpoint."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from monai_gu2net import __version__
from monai_gu2net.data import SPLITS, Datalist, Domain, is_image, make_phantom, open_data
from monai_gu2net.data.layouts import LAYOUTS, read_layout
from monai_gu2net.engines import add_domain, calibrate_model, evaluate_model, keep_freed_memory, predict_images
from monai_gu2net.networks import ModelCard
from monai_gu2net.report_commands import add_protocol_options, add_report_commands, protocol_of
from monai_gu2net.transforms.save import FORMATS

_EPILOG = """\
Exit status: 0 all done; 1 some cases failed (they are listed); 2 nothing could be done.
Training is a MONAI bundle:
  python -m monai.bundle run training --config_file bundles/gu2net/configs/train.json [--datalist FILE]
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; see ``python -m monai_gu2net --help``.

    Args:
        arguments: by default those of the process.

    Returns:
        The exit status: 0 all done, 1 some cases failed, 2 nothing could be done.
    """
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    if options.keep_memory:
        keep_freed_memory()
    try:
        return int(options.run(options))
    except (FileNotFoundError, FileExistsError, ValueError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; what was written before is whole\n")
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "monai_gu2net",
        description="Anatomical landmarks with one universal model.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=__version__)
    parser.add_argument(
        "--no-keep-memory",
        dest="keep_memory",
        action="store_false",
        help="give freed memory back to the system at once (slower on a processor)",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    prepare = _command(commands, "prepare", _prepare, "make a datalist from dataset folders", _prepare_help())
    prepare.add_argument(
        "sources", nargs="+", metavar="SOURCE", help="a dataset folder, a datalist to merge in, or 'phantom'"
    )
    prepare.add_argument(
        "-o", "--output", required=True, type=Path, help="the datalist to write (or the phantom's folder)"
    )
    prepare.add_argument("--name", help="what results call the data; by default the output folder's name")
    prepare.add_argument("--layout", choices=list(LAYOUTS), help="by default told from the folder")
    prepare.add_argument("--domain", help="the domain's name; by default the layout's or the folder's")
    prepare.add_argument("--size", type=_size, metavar="WxH", help="network input size, such as 416x512")
    prepare.add_argument("--spacing", type=_spacing, metavar="MM[,MM]|unknown", help="mm per pixel of the image files")
    prepare.add_argument("--annotator", choices=["mean", "senior", "junior"], help="ground truth of the head layout")
    prepare.add_argument(
        "--validation", type=_amount, help="patients held out of training: a count, or a fraction such as 0.1"
    )
    prepare.add_argument("--test", type=_amount, help="patients of the test part, where the layout has no official one")
    prepare.add_argument(
        "--draw-test",
        action="store_true",
        default=None,
        help="draw the test part (hand, chest) instead of taking the end of the order",
    )
    prepare.add_argument("--seed", type=int, default=0, help="of the draws (default %(default)s)")

    evaluate = _command(commands, "evaluate", _evaluate, "measure a model on annotated cases", None)
    _model_options(evaluate)
    evaluate.add_argument("--datalist", type=Path, help="the cases; by default --dataset-dir, or the phantom")
    evaluate.add_argument("--dataset-dir", type=Path, help="a folder with a datalist.json or a known layout")
    evaluate.add_argument("--split", choices=SPLITS, default="test", help="which cases (default %(default)s)")
    evaluate.add_argument("--domains", nargs="+", metavar="DOMAIN", help="only these")
    evaluate.add_argument("--worst", type=int, default=6, help="worst cases drawn per domain (default %(default)s)")
    evaluate.add_argument("--annotator", metavar="mean|NAME", help="another ground truth that the datalist holds")
    add_protocol_options(evaluate)

    predict = _command(commands, "predict", _predict, "find the landmarks in images without ground truth", None)
    predict.add_argument("images", nargs="+", type=Path, metavar="IMAGE", help="image files, or a folder of them")
    _model_options(predict)
    predict.add_argument("--domain", help="which of the model's domains the images are of")
    predict.add_argument("--spacing", type=_spacing, metavar="MM[,MM]", help="mm per pixel of the images")
    predict.add_argument(
        "--min-confidence",
        type=float,
        default=0.0,
        help="below it a landmark is absent (default %(default)s)",
    )
    predict.add_argument(
        "--formats", nargs="+", choices=FORMATS, default=FORMATS, help="files per image (default: all)"
    )

    calibrate = _command(commands, "calibrate", _calibrate, "measure how far off a model's landmarks may be", None)
    _checkpoint_options(calibrate)
    calibrate.add_argument(
        "-o", "--output", type=Path, metavar="MODEL", help="the calibrated model; by default the model's own file"
    )
    calibrate.add_argument("--datalist", type=Path, help="annotated cases; by default --dataset-dir, or the phantom")
    calibrate.add_argument("--dataset-dir", type=Path, help="a folder with a datalist.json or a known layout")
    calibrate.add_argument(
        "--split", choices=SPLITS, default="validation", help="cases that were not trained on (default %(default)s)"
    )
    calibrate.add_argument("--domains", nargs="+", metavar="DOMAIN", help="only these")

    added = _command(commands, "add-domain", _add_domain, "teach a trained model a new domain", None)
    added.add_argument("-m", "--checkpoint", required=True, type=Path, help="the trained model; it is left as it is")
    added.add_argument("--datalist", required=True, type=Path, help="the new domain's cases, made by prepare")
    added.add_argument("-o", "--output-dir", required=True, type=Path, help="where the new model.pt goes")
    added.add_argument(
        "--config-file",
        type=Path,
        default=Path("bundles/gu2net/configs/train.json"),
        help="the bundle's training (default %(default)s)",
    )
    added.add_argument(
        "--shared-rate",
        type=float,
        default=0.0,
        help="learning rate of the shared weights as a share of the new domain's; 0 keeps the other domains as they "
        "are (default %(default)s)",
    )
    added.add_argument("--like", metavar="DOMAIN", help="the known domain that the new one starts as a copy of")
    added.add_argument("--resume", action="store_true", help="go on with an interrupted run")
    added.add_argument("--max-epochs", type=int, help="by default the bundle's")
    added.add_argument("--batches-per-epoch", type=int, help="by default one pass through the cases")

    info = _command(commands, "info", _info, "say what a checkpoint holds", None)
    info.add_argument("checkpoint", type=Path)
    info.add_argument("--json", action="store_true", help="all of it, as JSON")

    add_report_commands(commands)
    return parser


def _command(
    commands: Any, name: str, run: Callable[[argparse.Namespace], int], what: str, epilog: str | None
) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(
        name,
        help=what,
        description=f"{what[0].upper()}{what[1:]}.",
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.set_defaults(run=run)
    return command


def _model_options(command: argparse.ArgumentParser) -> None:
    _checkpoint_options(command)
    command.add_argument("-o", "--output-dir", required=True, type=Path, help="where the results go")


def _checkpoint_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "-m",
        "--checkpoint",
        dest="checkpoints",
        required=True,
        action="append",
        type=Path,
        metavar="MODEL",
        help="a trained model.pt; given several times, the models' heatmaps are averaged",
    )
    command.add_argument(
        "--views", type=int, default=1, help="slightly turned views of each image to average over (default %(default)s)"
    )
    command.add_argument(
        "--device", default="cuda" if torch.cuda.is_available() else "cpu", help="default: %(default)s"
    )


def _prepare_help() -> str:
    shown = "\n".join(f"  {name:8} {look}" for name, look in LAYOUTS.items())
    return f"Layouts:\n{shown}\nOne SOURCE per call takes the options; then merge: prepare a.json b.json -o all.json"


def _prepare(options: argparse.Namespace) -> int:
    if options.sources == ["phantom"]:
        _say(f"Wrote {make_phantom(options.output, seed=options.seed)}")
        return 0
    parts = [_source(Path(source), options) for source in options.sources]
    domains = {name: domain for part in parts for name, domain in part.domains.items()}
    if len(domains) != sum(len(part.domains) for part in parts):
        raise ValueError("Domains must have different names to be merged; prepare each with its own --domain.")
    splits: dict[str, Any] = {split: [case for part in parts for case in getattr(part, split)] for split in SPLITS}
    data = Datalist(options.name or options.output.resolve().parent.name, domains, **splits)
    data.save(options.output)
    for name, domain in domains.items():
        counts = ", ".join(f"{sum(c['domain'] == name for c in splits[split])} {split}" for split in SPLITS)
        _say(f"{name}: {len(domain.landmarks)} landmarks, {counts}, unit {domain.unit}")
    _say(f"Wrote {options.output}")
    return 0


def _source(path: Path, options: argparse.Namespace) -> Datalist:
    if path.is_file():
        return Datalist.load(path)
    domain, splits = _layout(path, options)
    return Datalist(domain.name, {domain.name: domain}, splits["training"], splits["validation"], splits["test"])


def _layout(path: Path, options: argparse.Namespace) -> tuple[Domain, dict[str, Any]]:
    return read_layout(
        path,
        layout=options.layout,
        domain=options.domain,
        size=options.size,
        spacing="default" if options.spacing is None else options.spacing,
        annotator=options.annotator,
        validation=options.validation,
        test=options.test,
        seed=options.seed,
        drawn=options.draw_test,
    )


def _evaluate(options: argparse.Namespace) -> int:
    data = open_data(
        options.datalist,
        options.dataset_dir,
        domains=options.domains,
        phantom_dir=options.output_dir / "phantom",
    )
    with tqdm(total=len(getattr(data, options.split)), desc="evaluating", unit="case") as bar:
        report = evaluate_model(
            options.checkpoints,
            data,
            output_dir=options.output_dir,
            split=options.split,
            views=options.views,
            device=options.device,
            worst=options.worst,
            protocol=protocol_of(options),
            annotator=options.annotator,
            on_case=lambda count: bar.update(),
        )
    summary = json.loads((report.parent / "summary.json").read_text(encoding="utf-8"))
    _say(_by_domain(report.read_text(encoding="utf-8")))
    _say(f"Wrote {report}")
    return _listed(summary["failures"])


def _by_domain(report: str) -> str:
    """The report's table of domains."""
    return report.split("## By domain\n\n", 1)[1].split("\n\n", 1)[0]


def _predict(options: argparse.Namespace) -> int:
    images: list[Path] = []
    for path in options.images:
        images += sorted(p for p in path.iterdir() if is_image(p)) if path.is_dir() else [path]
    if not images:
        raise ValueError(
            f"IMAGE must be image files or a folder of them; got none in {options.images}. Check the path."
        )
    if options.spacing == "unknown":
        raise ValueError("--spacing must be mm per pixel; got 'unknown'. Leave it out.")
    with tqdm(total=len(images), desc="predicting", unit="image") as bar:
        rows, failures = predict_images(
            options.checkpoints,
            images,
            output_dir=options.output_dir,
            domain=options.domain,
            spacing=options.spacing,
            min_confidence=options.min_confidence,
            views=options.views,
            formats=options.formats,
            device=options.device,
            on_case=lambda count: bar.update(),
        )
    _say(f"Wrote {len(rows)} landmarks of {len(images) - len(failures)} images to {options.output_dir}")
    return _listed(failures) if rows else 2 * bool(_listed(failures))


def _add_domain(options: argparse.Namespace) -> int:
    wishes = {"max_epochs": options.max_epochs, "batches_per_epoch": options.batches_per_epoch}
    model = add_domain(
        options.checkpoint,
        options.datalist,
        output_dir=options.output_dir,
        config_file=options.config_file,
        shared_rate=options.shared_rate,
        like=options.like,
        resume=options.resume,
        options={name: value for name, value in wishes.items() if value is not None},
    )
    _say(f"Wrote {model}")
    return 0


def _calibrate(options: argparse.Namespace) -> int:
    written = options.checkpoints[0] if options.output is None else options.output
    data = open_data(
        options.datalist, options.dataset_dir, domains=options.domains, phantom_dir=written.parent / "phantom"
    )
    with tqdm(total=len(getattr(data, options.split)), desc="calibrating", unit="case") as bar:
        calibrate_model(
            options.checkpoints,
            data,
            split=options.split,
            output=options.output,
            views=options.views,
            device=options.device,
            on_case=lambda count: bar.update(),
        )
    for line in _calibration_lines(ModelCard.load(written)):
        _say(line)
    _say(f"Wrote {written}")
    return 0


def _calibration_lines(card: ModelCard) -> list[str]:
    """A line for each domain that is calibrated."""
    return [
        f"{name}: calibrated by {known['landmarks']} landmarks of {known['images']} images, "
        f"{known['views']} view(s) by {known['members']} model(s)"
        for name, known in card.calibration.items()
    ]


def _info(options: argparse.Namespace) -> int:
    card = ModelCard.load(options.checkpoint)
    if options.json:
        _say(json.dumps(card.state_dict(), indent=1))
        return 0
    _say(f"{card.network['name']}, targets with sigma {card.sigma:g} px")
    for name, domain in card.domains.items():
        size = " x ".join(map(str, domain.size))
        _say(f"{name}: {len(domain.landmarks)} landmarks, input {size}, unit {domain.unit}")
        _say("  " + ", ".join(domain.landmarks))
    for line in _calibration_lines(card):
        _say(line)
    for key, value in card.provenance.items():
        _say(f"{key}: {value}")
    return 0


def _listed(failures: Sequence[dict[str, str]]) -> int:
    for failure in failures:
        sys.stderr.write(f"failed: {failure['domain']} {failure['case']}: {failure['reason']}\n")
    return int(bool(failures))


def _say(text: str) -> None:
    sys.stdout.write(text.rstrip() + "\n")


def _size(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.lower().split("x"))


def _spacing(text: str) -> tuple[float, float] | str:
    if text == "unknown":
        return text
    numbers = [float(part) for part in text.split(",")]
    if len(numbers) > 2 or not all(number > 0 for number in numbers):
        raise argparse.ArgumentTypeError(f"must be one or two positive numbers; got {text!r}")
    return numbers[0], numbers[-1]


def _amount(text: str) -> int | float:
    return int(text) if text.isdigit() else float(text)


if __name__ == "__main__":
    sys.exit(main())
