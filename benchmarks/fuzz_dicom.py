# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Feed the DICOM reader files that are broken at random, and keep those that it does not answer as promised.

    python benchmarks/fuzz_dicom.py --minutes 10 --output fuzz_found

Seeds are small images of every transfer syntax that tests/dicom/dicom_files.py makes, with sequences, a LUT, frames,
colour and a palette, or the files of ``--seeds``. Whatever gives neither a Radiograph nor a DicomError that
begins with the file's name is a finding; so is a good file that reads otherwise after a bad one. Inputs that ended or
stopped the child process are kept too, since they are what it is for. Exits with 1 where there were findings.
"""

from __future__ import annotations

import argparse
import importlib.util
import random
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path
from types import ModuleType

import numpy as np
from pydicom import uid
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

from monai_gu2net.dicom import DicomError, Limits, Radiograph, read_header, read_radiograph

LIMITS = Limits(file_bytes=2**20, pixels=10**7, memory_bytes=2**29, seconds=10)
DICOM_FILES = Path(__file__).parents[1] / "tests" / "dicom" / "dicom_files.py"
COMPRESSED = ["JPGExtended.dcm", "SC_rgb_jpeg_dcmtk.dcm", "SC_rgb_rle.dcm", "JPEGLSNearLossless_08.dcm"]
COMPRESSED += ["MR_small_RLE.dcm", "MR_small_jp2klossless.dcm", "nested_priv_SQ.dcm"]
TELLING = [b"\x00", b"\xff", b"\xff\xff\xff\xff", b"\x00\x00\x00\x00", b"\xfe\xff\x00\xe0", b"\xfe\xff\x0d\xe0"]
TELLING += [b"\xfe\xff\xdd\xe0", b"\xff\xff\xff\x7f", b"SQ", b"UN", b"OB", b"DS", b"\\", b"nan", b"1e9", b"\xff\xd8"]


def main() -> int:
    """Run, print a summary, return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--output", type=Path, default=Path("fuzz_found"))
    parser.add_argument("--seeds", type=Path, help="a folder of DICOM files; by default, made ones")
    parser.add_argument("--seed", type=int, default=0, help="of the random numbers")
    options = parser.parse_args()
    rng = random.Random(options.seed)
    counts: Counter[str] = Counter()
    options.output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = sorted(options.seeds.glob("*")) if options.seeds else make_seeds(folder)
        seeds = [path.read_bytes() for path in files if path.is_file()]
        good, expected = folder / "good.dcm", None
        if not options.seeds:
            good.write_bytes(files[0].read_bytes())
            expected = read_radiograph(good).pixels
        end = time.monotonic() + 60 * options.minutes
        number = 0
        while time.monotonic() < end:
            number += 1
            data = mutate(rng, seeds)
            bad = folder / "bad.dcm"
            bad.write_bytes(data)
            start = time.monotonic()
            outcome = outcome_of(bad, rng)
            counts[outcome] += 1
            if time.monotonic() - start > 2:
                counts["slower than 2 s"] += 1
            if outcome.startswith(("finding", "child")):
                kind = outcome.split(":")[0].replace(" ", "_")
                (options.output / f"{kind}_{number:07d}.dcm").write_bytes(data)
            in_turn = expected is not None and number % 500 == 0
            if in_turn and not np.array_equal(read_radiograph(good).pixels, expected):
                counts["finding: a good file reads otherwise"] += 1
    for outcome, count in sorted(counts.items()):
        print(f"{count:8d}  {outcome}")
    return 1 if any(outcome.startswith("finding") for outcome in counts) else 0


def outcome_of(path: Path, rng: random.Random) -> str:
    """What became of one file, by way of the header in this process and the whole in the child."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.filterwarnings("ignore", message=rf"{path.name}: ", category=UserWarning)
            try:
                read_header(path, limits=LIMITS)
            except DicomError as error:
                if not str(error).startswith(path.name):
                    return "finding: an error without the file's name"
            frame, colour = rng.choice([(None, False), (0, False), (0, True)])
            found = read_radiograph(path, limits=LIMITS, frame=frame, colour=colour)
    except DicomError as error:
        if not str(error).startswith(path.name):
            return "finding: an error without the file's name"
        if "it did. The file is broken or hostile" in str(error):
            return "child ended"
        return "child stopped" if "it took longer" in str(error) else "DicomError"
    except Exception as error:
        return f"finding: {type(error).__name__}"
    return "Radiograph" if is_sound(found) else "finding: a Radiograph that breaks its promises"


def is_sound(found: Radiograph) -> bool:
    """Whether a radiograph keeps its promises."""
    shape = (found.metadata.get("columns"), found.metadata.get("rows"))
    scale = found.spacing is None or (all(np.isfinite(found.spacing)) and min(found.spacing) > 0)
    return bool(found.pixels.shape == shape and np.isfinite(found.pixels).all() and scale)


def mutate(rng: random.Random, seeds: list[bytes]) -> bytes:
    """One of the seeds with some changes, most of them in its first kilobytes."""
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.choice([1, 1, 2, 3, 8])):
        size = len(data)
        at = rng.randrange(128, min(size, 2000)) if size > 129 and rng.random() < 0.6 else rng.randrange(size)
        length = rng.choice([1, 2, 4, 8, 64])
        match rng.randrange(7):
            case 0:
                data[at] ^= 1 << rng.randrange(8)
            case 1:
                data[at : at + length] = rng.randbytes(length)
            case 2:
                value = rng.choice(TELLING)
                data[at : at + len(value)] = value
            case 3:
                data[at:at] = rng.choice(TELLING) * rng.choice([1, 2, 50])
            case 4:
                del data[at : at + length]
            case 5:
                other = rng.choice(seeds)
                start = rng.randrange(len(other))
                data[at : at + length] = other[start : start + rng.choice([8, 64, 512])]
            case 6 if rng.random() < 0.3:
                del data[at:]
        if not data:
            return b"\0"
    return bytes(data)


def make_seeds(folder: Path) -> list[Path]:
    """Small files of every kind that the reader knows."""
    module = _dicom_files()
    make, picture, stream = module.make_dicom, module.picture(), module.HTJ2K_CODESTREAM
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [64, 600, 16])
    item.add_new("LUTData", "US", list(range(0, 640, 10)))
    item.ModalityLUTType = "US"
    syntaxes = (uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian, uid.ExplicitVRBigEndian, uid.RLELossless)
    syntaxes += (uid.JPEG2000Lossless, uid.JPEGLSLossless, uid.JPEGLossless, uid.JPEGLosslessSV1)
    made = [
        make(
            folder / f"{syntax}.dcm",
            picture,
            photometric="MONOCHROME1",
            transfer_syntax=syntax,
            ImagerPixelSpacing=[0.1, 0.2],
        )
        for syntax in syntaxes
    ]
    made.append(make(folder / "ht.dcm", picture, transfer_syntax=uid.HTJ2KLossless, codestream=stream))
    made.append(make(folder / "lut.dcm", picture, ModalityLUTSequence=[item], PixelSpacing=[0.1, 0.1]))
    made.append(make(folder / "slope.dcm", picture, signed=True, RescaleSlope="2", RescaleIntercept="-3"))
    made.append(make(folder / "frames.dcm", np.stack([picture] * 3)))
    made.append(make(folder / "rgb.dcm", np.stack([picture % 256] * 3, axis=-1), photometric="RGB", bits_stored=8))
    return made + [Path(str(get_testdata_file(name))) for name in COMPRESSED]


def _dicom_files() -> ModuleType:
    spec = importlib.util.spec_from_file_location("dicom_files", DICOM_FILES)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(f"{DICOM_FILES} must be there; it is not. Run it in a clone.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    sys.exit(main())
