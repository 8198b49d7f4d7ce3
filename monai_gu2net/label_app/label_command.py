# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The command ``label``: annotate radiographs with MONAI Label."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

from monai_gu2net.commands.command import add_command, say
from monai_gu2net.commands.options import SCALE, add_options

__all__ = ["add"]

_BUNDLES = {2: Path("bundles/gu2net"), 3: Path("bundles/gu2net_volume")}
"""By the number of axes of the model's images."""
_TRAINING = Path("configs", "train.json")


def add(commands: Any) -> None:
    """Add the command to those of the program."""
    command = add_command(
        commands,
        "label",
        "annotate radiographs or volumes with MONAI Label: pre-label, correct, retrain",
        run=_run,
        description="Annotate radiographs or volumes with MONAI Label: pre-label, correct, retrain.\n"
        "The page is at http://127.0.0.1:8000/gu2net/; 3D Slicer's module takes http://127.0.0.1:8000.",
    )
    command.add_argument(
        "--studies", required=True, metavar="DIR", help="a folder of images, or the address of a DICOMweb server"
    )
    model = "a trained model.pt to start with; by default the app's, or the bundle's"
    add_options(command, "--checkpoint", dest="checkpoint", action="store", required=False, help=model)
    command.add_argument("--domain", nargs="+", metavar="DOMAIN", help="serve these domains alone")
    add_options(command, "--host")
    command.add_argument(
        "--allow-host",
        nargs="+",
        default=[],
        metavar="NAME",
        help="names that the server is called by beside --host, such as a proxy's; by others it does not answer",
    )
    add_options(command, "--port", default=8000)
    command.add_argument(
        "--app-dir", type=Path, metavar="DIR", help="where weights and trainings go (default: gu2net_app in --studies)"
    )
    default = f"{_BUNDLES[2]}, or of a model of volumes {_BUNDLES[3]}"
    command.add_argument(
        "--bundle", type=Path, metavar="DIR", help=f"the bundle with the training (default: {default}, if it is there)"
    )
    add_options(command, *SCALE, "--backend", "--precision", "--password-file")
    command.add_argument("--verbose", action="store_true", help="show MONAI Label's messages, with names of images")


def _run(options: argparse.Namespace) -> int:
    from monai_gu2net.connections import read_secret
    from monai_gu2net.label_app.server import app_folder, check_installed, prepare_app, run_server
    from monai_gu2net.label_app.weights import AppWeights

    check_installed()
    studies = _studies(options.studies)
    folder = app_folder(studies) if options.app_dir is None else options.app_dir
    bundle = _bundle(options.bundle)
    started = (folder / "model" / "model.pt").is_file()
    shipped = None if bundle is None or started else bundle / "models" / "model.pt"
    folder = prepare_app(folder, options.checkpoint or shipped)
    dims = len(next(iter(AppWeights(folder / "model").card.domains.values())).size)
    if options.bundle is None:
        bundle = _bundle(None, dims=dims)
    else:
        _check_axes(options.bundle, dims)
    conf = {
        "domains": ",".join(options.domain or ()),
        "train_config": "" if bundle is None else str(bundle / _TRAINING),
        "spacing": ",".join(map(str, options.spacing or ())),
        "accept_spacing_source": ",".join(options.accept_spacing_source or ()),
        "backend": options.backend,
        "precision": options.precision,
    }
    if options.password_file is not None:
        user, _, password = read_secret(options.password_file).partition(":")
        os.environ.update(MONAI_LABEL_DICOMWEB_USERNAME=user, MONAI_LABEL_DICOMWEB_PASSWORD=password)
    say(f"Weights and trainings: {folder}")
    if bundle is None:
        say("Training is off, for there is no bundle: name one with --bundle")
    say(f"Annotate at http://{options.host}:{options.port}/gu2net/, or in 3D Slicer; stop with Ctrl-C")
    run_server(
        studies,
        folder,
        host=options.host,
        port=options.port,
        conf=conf,
        names=options.allow_host,
        log_level="info" if options.verbose else "warning",
    )
    return 0


def _studies(text: str) -> str:
    """An address as it is, a folder absolute."""
    if text.startswith(("http://", "https://")):
        return text.rstrip("/")
    if not Path(text).is_dir():
        raise FileNotFoundError(f"--studies must be a folder; got {text!r}, which is not there. Correct the path.")
    return str(Path(text).resolve())


def _bundle(given: Path | None, *, dims: int = 2) -> Path | None:
    """The bundle: the one given, or that of the working directory or of the package's clone."""
    if given is not None:
        if not (given / _TRAINING).is_file():
            raise FileNotFoundError(f"--bundle must be a bundle's folder; got {str(given)!r}. Correct the path.")
        return given.resolve()
    candidates = (_BUNDLES[dims], Path(__file__).parents[2] / _BUNDLES[dims])
    return next((each.resolve() for each in candidates if (each / _TRAINING).is_file()), None)


def _check_axes(bundle: Path, dims: int) -> None:
    """Refuse a bundle that trains on other images than the model's."""
    config = json.loads((bundle / _TRAINING).read_text(encoding="utf-8"))
    if config.get("spatial_dims", config.get("network_def", {}).get("spatial_dims")) == 5 - dims:
        raise ValueError(
            f"--bundle must train on images with {dims} axes, as the model's have; got {str(bundle)!r}, of "
            f"{5 - dims}. Name {_BUNDLES[dims].name}, or another made for them."
        )
