# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The command ``prepare``: a datalist from dataset folders."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from monai_gu2net.commands.command import add_command, say
from monai_gu2net.commands.options import add_options, spacing_or_unknown
from monai_gu2net.data import SPLITS, Datalist, Domain
from monai_gu2net.files import left_out_lines
from monai_gu2net.landmarks import mirror_pairs
from monai_gu2net.landmarks.formats import POINTS
from monai_gu2net.sources import LAYOUTS

__all__ = ["add"]

_OF_VOLUMES = ("orientation", "target_spacing", "points", "any_pose")
_OF_SPLITS = ("validation", "test", "draw_test")
_OF_FOLDERS = ("layout", "domain", "size", "spacing", "annotator", "mirror", "doubtful", *_OF_SPLITS, *_OF_VOLUMES)
_OF_PHANTOM = ("images", "domains")


def add(commands: Any) -> None:
    """Add the command to those of the program."""
    shown = "\n".join(f"  {name:8} {look}" for name, look in LAYOUTS.items())
    command = add_command(
        commands,
        "prepare",
        "make a datalist from dataset folders",
        run=_run,
        epilog=f"Layouts:\n{shown}\n"
        "One SOURCE per call takes the options; then merge: prepare a.json b.json -o all.json",
    )
    command.add_argument(
        "sources", nargs="+", metavar="SOURCE", help="a dataset folder, a datalist to merge in, or 'phantom'"
    )
    command.add_argument(
        "-o", "--output", required=True, type=Path, help="the datalist to write (or the phantom's folder)"
    )
    command.add_argument("--name", help="what results call the data; by default the output folder's name")
    command.add_argument("--layout", choices=list(LAYOUTS), help="by default recognised by the folder")
    command.add_argument("--domain", help="the domain's name; by default the layout's or the folder's")
    command.add_argument(
        "--size", type=_size, metavar="WxH[xD]", help="network input size, such as 416x512, of volumes 96x96x64"
    )
    command.add_argument(
        "--target-spacing",
        type=_target_spacing,
        metavar="MM,MM,MM|none",
        help="mm per voxel at which the network sees volumes (default: chosen from the data, and printed); none: each "
        "is resized to --size",
    )
    command.add_argument(
        "--orientation", metavar="LETTERS", help="where the axes of volumes lead for the network (default RAS)"
    )
    command.add_argument(
        "--points",
        choices=POINTS,
        help="what the coordinates in a table of volumes are: voxels of the files from 0, or mm (default: what its "
        "columns say)",
    )
    command.add_argument(
        "--any-pose",
        choices=["yes", "no"],
        help="whether volumes lie in any pose, and the network looks for it (default: if the landmarks of one lie more "
        "than 60 degrees from their mean shape)",
    )
    spacing = {"type": spacing_or_unknown, "metavar": "MM[,MM]|unknown", "help": "mm per pixel of the image files"}
    add_options(command, "--spacing", **spacing)
    command.add_argument("--annotator", choices=["mean", "senior", "junior"], help="ground truth of the head layout")
    command.add_argument(
        "--mirror",
        metavar="names|LEFT:RIGHT,...",
        help="lets training mirror images, and says which landmarks change places then: those whose names differ in "
        "left and right only, or the pairs given. Not for what looks otherwise from the other side, as a heart",
    )
    command.add_argument(
        "--validation", type=_amount, help="patients held out of training: a count, or a fraction such as 0.1"
    )
    command.add_argument("--test", type=_amount, help="patients of the test part, where the layout has no official one")
    command.add_argument(
        "--draw-test",
        action="store_true",
        default=None,
        help="draw the test part (hand, chest) instead of taking the end of the order",
    )
    command.add_argument(
        "--images", type=int, metavar="N", help="images of each domain of the phantom, in all splits (default 100)"
    )
    command.add_argument(
        "--domains",
        nargs="+",
        metavar="DOMAIN",
        help="of the phantom, among head, hand, chest, spine and, of volumes, head_ct (default: the first three)",
    )
    command.add_argument(
        "--doubtful",
        choices=["say", "leave-out"],
        help="what happens with landmarks that can hardly be right, by how those of other images lie to each other: "
        "they are named (default), or left out of training and calibration as well, and scored apart",
    )
    add_options(command, "--allow-outside")
    command.add_argument("--seed", type=int, default=0, help="of the draws (default %(default)s)")


def _run(options: argparse.Namespace) -> int:
    from monai_gu2net.data import outside_landmarks
    from monai_gu2net.phantom import make_phantom

    _refuse_unused(options, _OF_FOLDERS, "a dataset folder", any(Path(source).is_dir() for source in options.sources))
    _refuse_unused(options, _OF_PHANTOM, "'phantom' alone", options.sources == ["phantom"])
    if options.sources == ["phantom"]:
        chosen = {} if options.domains is None else {"domains": options.domains}
        say(f"Wrote {make_phantom(options.output, cases=options.images, seed=options.seed, **chosen)}")
        return 0
    parts = [_source(Path(source), options) for source in options.sources]
    said = [part for source, part in zip(options.sources, parts, strict=True) if Path(source).is_dir()]
    notes = [f"{part.name}: {note}" for part in said for note in (part.origin or {}).values()]
    if len(parts) > 1:
        parts = [part.within(Path(source).name) for source, part in zip(options.sources, parts, strict=True)]
    data = Datalist.merged(options.name or options.output.resolve().parent.name, parts)
    data.save(options.output)
    outside = outside_landmarks(data.cases("all"))
    sys.stderr.write("".join(f"{line}\n" for line in left_out_lines([*data.left_out, *outside])))
    for name, domain in data.domains.items():
        counts = ", ".join(f"{sum(c['domain'] == name for c in data.cases(split))} {split}" for split in SPLITS)
        say(f"{name}: {len(domain.landmarks)} landmarks, {counts}, unit {_unit(domain, data)}")
    for note in notes:
        say(note)
    for split in ("validation", "test"):
        asked = getattr(options, split)
        if asked and not data.cases(split):
            say(f"no {split} case, for a share of {asked:g} of so few patients is none: give a number, --{split} 1")
    say(f"Wrote {options.output}")
    return 0


def _refuse_unused(options: argparse.Namespace, names: Sequence[str], source: str, given: bool) -> None:
    """Refuse options that are of use to a source that is not given."""
    unused = [f"--{name.replace('_', '-')}" for name in names if getattr(options, name) is not None]
    if unused and not given:
        raise ValueError(f"{', '.join(unused)} must be given with {source}; got {options.sources}. Leave it out.")


def _unit(domain: Domain, data: Datalist) -> str:
    """The unit of the domain's results, as far as it is known without opening the images."""
    from monai_gu2net.data.picture import PICTURES
    from monai_gu2net.dicom import is_dicom

    if domain.unit == "mm":
        return "mm"
    cases = [case for case in data.cases("all") if case["domain"] == domain.name]
    images = [Path(case["image"]) for case in cases if "spacing" not in case]
    if any(is_dicom(image) or image.suffix.lower() not in PICTURES for image in images):
        return "by each file's tags"
    if len(images) == len(cases):
        return "px"
    return f"mm; px of {len(images)} without spacing" if images else "mm"


def _source(path: Path, options: argparse.Namespace) -> Datalist:
    from monai_gu2net.data import datalist_in_frame
    from monai_gu2net.sources import read_layout
    from monai_gu2net.transforms import with_mean_shapes

    if path.is_file():
        return datalist_in_frame(Datalist.load(path), allow_outside=options.allow_outside)
    data = read_layout(
        path,
        layout=options.layout,
        domain=options.domain,
        size=options.size,
        orientation=options.orientation,
        target_spacing=options.target_spacing,
        points=options.points,
        spacing="default" if options.spacing is None else options.spacing,
        annotator=options.annotator,
        validation=options.validation,
        test=options.test,
        seed=options.seed,
        drawn=options.draw_test,
        leave_out_doubtful=options.doubtful == "leave-out",
        allow_outside=options.allow_outside,
    )
    if options.mirror is not None:
        data = replace(data, domains={name: _mirrored(domain, options.mirror) for name, domain in data.domains.items()})
    return with_mean_shapes(data, any_pose={"yes": True, "no": False}.get(options.any_pose))


def _mirrored(domain: Domain, mirror: str) -> Domain:
    """The domain with the pairs that the option says."""
    if mirror != "names":
        given: Any = tuple(tuple(pair.split(":")) for pair in mirror.split(","))
        return replace(domain, mirror=given)
    pairs = mirror_pairs(domain.landmarks)
    if not pairs:
        raise ValueError(
            f"Domain {domain.name!r}: --mirror names needs landmarks whose names differ in left and right only; got "
            f"{list(domain.landmarks)}. Give the pairs: --mirror LEFT:RIGHT,LEFT:RIGHT"
        )
    return replace(domain, mirror=pairs)


def _size(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.lower().replace(",", "x").split("x"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be WxH, such as 416x512; got {text!r}") from None


def _target_spacing(text: str) -> tuple[float, ...] | str:
    if text == "none":
        return text
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be MM,MM,MM or none; got {text!r}") from None


def _amount(text: str) -> int | float:
    try:
        return int(text) if text.isdecimal() else float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a count, or a fraction such as 0.1; got {text!r}") from None
