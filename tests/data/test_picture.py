# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Format x compression x orientation x polarity x depth x alpha or palette, each from one NumPy array."""

from __future__ import annotations

import contextlib
import itertools
import struct
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import PIL
import pytest
from picture_files import COMPRESSIONS, STORED, chunk, exif, png, tiff
from PIL import EpsImagePlugin, Image

from monai_gu2net.data import RadiographReader
from monai_gu2net.data.reader import radiograph_size
from monai_gu2net.dicom import Limits
from monai_gu2net.sources import read_layout

HEIGHT, WIDTH = 19, 21
BASE = np.random.default_rng(7).integers(0, 2**32, (HEIGHT, WIDTH, 4), dtype=np.uint64)
"""The one array, of which every cell takes the upper bits."""
LUMINANCE = np.array([0.299, 0.587, 0.114])
WHITE_IS_ZERO, BLACK_IS_ZERO = 0, 1
COLOUR, PALETTE, CMYK, YCBCR, LAB = 2, 3, 5, 6, 8


def upper(bits: int, channels: int | None = None) -> np.ndarray:
    """(H, W) or (H, W, channels) samples of a depth, in the smallest type that holds them."""
    samples = (BASE[..., 0] if channels is None else BASE[..., :channels]) >> (32 - bits)
    return samples.astype(np.uint8 if bits <= 8 else np.uint16 if bits <= 16 else np.uint32)


def read(path: Path, *, rgb: bool = False) -> np.ndarray:
    """The picture as rows, whose size is the one that the header tells."""
    reader = RadiographReader()
    array, _ = reader.get_data(reader.read(path), rgb=rgb)
    assert array.shape == (*radiograph_size(path), 3)[: array.ndim]
    return array.swapaxes(0, 1)


def luminance(colour: np.ndarray, alpha: np.ndarray | float = 1.0) -> np.ndarray:
    return (colour[..., :3] * LUMINANCE).sum(axis=-1) * alpha


FLOAT = "float"
DEPTHS: dict[str, tuple[int, int, np.ndarray]] = {
    # name: bits, SampleFormat, upright samples
    "1": (1, 1, upper(1)),
    "2": (2, 1, upper(2)),
    "4": (4, 1, upper(4)),
    "8": (8, 1, upper(8)),
    "12 in 16": (16, 1, upper(12).astype(np.uint16)),
    "16": (16, 1, upper(16)),
    "32": (32, 1, upper(32)),
    "signed 8": (8, 2, upper(8).view(np.int8)),
    "signed 16": (16, 2, upper(16).view(np.int16)),
    "signed 32": (32, 2, upper(32).view(np.int32)),
    FLOAT: (32, 3, (BASE[..., 0] / 2**32).astype(np.float32)),
    "double": (64, 3, BASE[..., 0] / 2**32),
}
SPREAD = {"2": 85, "4": 17}  # Pillow spreads them over 8 bits


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("polarity", [BLACK_IS_ZERO, WHITE_IS_ZERO], ids=["black", "white"])
@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("order", "<>", ids=["little", "big"])
def test_a_grey_tiff_of_every_orientation_is_right_or_refused(
    tmp_path: Path, order: str, compression: str, polarity: int, depth: str
) -> None:
    bits, kind, upright = DEPTHS[depth]
    white = polarity == WHITE_IS_ZERO and kind == 1
    samples = (2**bits - 1 - upright.astype(np.int64)).astype(upright.dtype) if white else upright
    expected = (upright.astype(np.float64) * SPREAD.get(depth, 1)).astype(np.float32)
    for orientation, stored in STORED.items():
        tags: dict[int, int | Sequence[int]] = {262: polarity, 274: orientation, 339: kind}
        path = tmp_path / f"{orientation}.tif"
        path.write_bytes(tiff([(stored(samples), tags)], bits=bits, order=order, compression=compression))
        if reason := refusal(order, polarity, kind, depth):
            with pytest.raises(ValueError, match=rf"^\d\.tif must .*{reason}"):
                read(path)
        else:
            np.testing.assert_array_equal(read(path), expected)


def refusal(order: str, polarity: int, kind: int, depth: str) -> str:
    """Why a grey TIFF is not read; empty where it is."""
    if polarity == WHITE_IS_ZERO and kind != 1:
        return "of another kind|whose white is not defined"
    unknown = depth == "double" or (order == ">" and depth == "32")
    return "of another kind" if unknown else ""


ALPHA = {"no alpha": None, "spare channel": 0, "alpha multiplied in": 1, "alpha": 2}  # TIFF 6.0, ExtraSamples


@pytest.mark.parametrize("layout", ["strips", "tiles", "planes", "big"])
@pytest.mark.parametrize("alpha", ALPHA)
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("order", "<>", ids=["little", "big"])
def test_a_colour_tiff_of_every_orientation_is_right_or_refused(
    tmp_path: Path, order: str, compression: str, bits: int, alpha: str, layout: str
) -> None:
    extra = ALPHA[alpha]
    samples = upper(bits, 3 if extra is None else 4)
    opaque = samples[..., 3:].astype(float) / (2**bits - 1) if extra else 1.0
    if extra == 1:
        samples[..., :3] = np.round(samples[..., :3] * opaque)
    expected = samples[..., :3] * (1.0 if extra == 1 else opaque)
    for orientation, stored in STORED.items():
        tags: dict[int, int | Sequence[int]] = {262: COLOUR, 274: orientation}
        tags |= {} if extra is None else {338: extra}
        tags |= {284: 2} if layout == "planes" else {}
        path = tmp_path / f"{orientation}.tif"
        tile = 16 if layout == "tiles" else None
        page = [(stored(samples), tags)]
        path.write_bytes(tiff(page, bits=bits, order=order, compression=compression, tile=tile, big=layout == "big"))
        big_order = layout == "big" and order == ">"
        if big_order or (layout == "planes" and (bits == 16 or extra in (0, 1))):
            with pytest.raises(ValueError, match=r"^\d\.tif must"):
                read(path)
            continue
        # at 8 bits Pillow rounds each channel
        tolerance = {"atol": 2.0} if bits == 8 else {"rtol": 1e-5, "atol": 1e-3}
        np.testing.assert_allclose(read(path, rgb=True), expected, **tolerance)
        if orientation == 5:
            np.testing.assert_allclose(read(path), luminance(expected), **tolerance)


def test_a_tiff_of_grey_and_alpha_is_laid_on_black_or_refused(tmp_path: Path) -> None:
    for bits, extra in itertools.product((8, 16), (0, 1, 2)):
        samples = upper(bits, 2)
        opaque = samples[..., 1] / (2**bits - 1)
        samples[..., 0] = np.round(samples[..., 0] * opaque) if extra == 1 else samples[..., 0]
        path = tmp_path / "x.tif"
        path.write_bytes(tiff([(samples, {262: BLACK_IS_ZERO, 338: extra})], bits=bits))
        expected = samples[..., 0] * (opaque if extra == 2 else 1.0)
        if bits == 16 or int(PIL.__version__.split(".")[0]) < 13:
            # Pillow 13 knows all three of 8 bits, older ones not; what they do not know is refused
            with contextlib.suppress(ValueError):
                np.testing.assert_allclose(read(path), expected, atol=1)
            continue
        np.testing.assert_allclose(read(path), expected, atol=1)
        np.testing.assert_allclose(read(path, rgb=True), expected[..., None].repeat(3, axis=2), atol=1)
    with pytest.raises(ValueError, match=r"^x\.tif must .* TIFF whose samples are of another kind"):
        read(path)  # of 16 bits


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_a_palette_is_looked_up(tmp_path: Path, compression: str, bits: int) -> None:
    indices, colours = upper(bits), upper(8, 3).reshape(-1, 3)[: 2**bits]
    expected = colours[indices]
    for orientation, stored in STORED.items():
        tags = {262: PALETTE, 274: orientation, 320: (colours.astype(int) * 257).T.ravel().tolist()}
        path = tmp_path / f"{orientation}.tif"
        path.write_bytes(tiff([(stored(indices), tags)], bits=bits, compression=compression))
        np.testing.assert_array_equal(read(path, rgb=True), expected)
        np.testing.assert_allclose(read(path), luminance(expected), atol=0.6)
        path = tmp_path / f"{orientation}.png"
        chunks = chunk(b"PLTE", colours.tobytes()) + chunk(b"eXIf", exif(orientation))
        path.write_bytes(png(stored(indices), bits=bits, colour=3, chunks=chunks))
        np.testing.assert_array_equal(read(path, rgb=True), expected)
        clear = bytes([255, 0])  # of the second colour
        path.write_bytes(png(stored(indices), bits=bits, colour=3, chunks=chunks + chunk(b"tRNS", clear)))
        np.testing.assert_array_equal(read(path, rgb=True), np.where((indices == 1)[..., None], 0, expected))


@pytest.mark.parametrize(
    ("photometric", "bits", "reason"),
    [
        (CMYK, 16, "CMYK of 16 bits"),
        (LAB, 8, "CIE L"),
        (YCBCR, 8, "YCbCr that is not JPEG"),
        (32803, 16, "another kind"),
    ],
)
def test_colour_that_would_be_read_wrongly_is_refused(tmp_path: Path, photometric: int, bits: int, reason: str) -> None:
    samples = upper(bits, 4 if photometric == CMYK else 1 if photometric == 32803 else 3)
    (tmp_path / "x.tif").write_bytes(tiff([(samples, {262: photometric})], bits=bits))
    with pytest.raises(ValueError, match=rf"^x\.tif must .*{reason}"):
        read(tmp_path / "x.tif")


def test_inks_become_luminance(tmp_path: Path) -> None:
    samples = upper(8, 4)
    (tmp_path / "x.tif").write_bytes(tiff([(samples, {262: CMYK})], bits=8))
    left = 255.0 - samples
    expected = left[..., :3] * left[..., 3:] / 255
    np.testing.assert_allclose(read(tmp_path / "x.tif", rgb=True), expected, atol=1)
    np.testing.assert_allclose(read(tmp_path / "x.tif"), luminance(expected), atol=1)


KINDS = {"grey": (0, 1), "colour": (2, 3), "grey, alpha": (4, 2), "colour, alpha": (6, 4)}  # PNG: colour type, channels


@pytest.mark.parametrize("interlaced", [False, True], ids=["plain", "Adam7"])
@pytest.mark.parametrize(
    ("kind", "depth"),
    [("grey", depth) for depth in ("1", "2", "4")] + list(itertools.product(KINDS, ("8", "12 in 16", "16"))),
)
def test_a_png_of_every_orientation_is_right(tmp_path: Path, kind: str, depth: str, interlaced: bool) -> None:
    colour, channels = KINDS[kind]
    bits, used = (16, 12) if depth == "12 in 16" else (int(depth), int(depth))
    samples = upper(used, channels).astype(np.uint16 if bits == 16 else np.uint8)
    alpha = samples[..., -1:] / (2**bits - 1) if "alpha" in kind else 1.0
    expected = samples[..., : 1 if "grey" in kind else 3] * alpha * SPREAD.get(depth, 1)
    grey = expected[..., 0] if "grey" in kind else luminance(expected)
    significant = chunk(b"sBIT", bytes([used] * channels)) if used < bits else b""
    for orientation, stored in STORED.items():
        path = tmp_path / f"{orientation}.png"
        chunks = significant + chunk(b"eXIf", exif(orientation))
        path.write_bytes(png(stored(samples), bits=bits, colour=colour, chunks=chunks, interlaced=interlaced))
        # at 8 bits Pillow rounds each channel
        tolerance = {"atol": 0.0} if kind == "grey" else {"atol": 1.5} if bits == 8 else {"rtol": 1e-5, "atol": 1e-3}
        np.testing.assert_allclose(read(path), grey, **tolerance)
        np.testing.assert_allclose(read(path, rgb=True), np.broadcast_to(expected, (HEIGHT, WIDTH, 3)), **tolerance)


def test_an_orientation_that_is_no_whole_number_is_refused(tmp_path: Path) -> None:
    byte = exif(6).replace(struct.pack("<HHI", 0x0112, 3, 1), struct.pack("<HHI", 0x0112, 1, 1))  # of type BYTE
    (tmp_path / "x.png").write_bytes(png(upper(8), bits=8, colour=0, chunks=chunk(b"eXIf", byte)))
    Image.fromarray(upper(8)).save(tmp_path / "x.jpg", exif=b"Exif\0\0" + byte)
    short = struct.pack("<HHIH", 274, 3, 1, 6)
    turned = tiff([(upper(16), {262: 1, 274: 6})], bits=16)
    assert turned.count(short) == 1
    (tmp_path / "x.tif").write_bytes(turned.replace(short, struct.pack("<HHIH", 274, 1, 1, 6)))
    for name in ("x.png", "x.jpg", "x.tif"):
        for look in (read, radiograph_size):
            with pytest.raises(ValueError, match=rf"^{name} must state its orientation as a whole number"):
                look(tmp_path / name)


def test_exif_that_is_none_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(png(upper(16), bits=16, colour=0, chunks=chunk(b"eXIf", b"no EXIF at all")))
    np.testing.assert_array_equal(read(tmp_path / "x.png"), upper(16))


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_value_that_stands_for_transparent_is_black(tmp_path: Path, bits: int, channels: int) -> None:
    if channels == 3 and bits < 8:
        return  # there is no such PNG
    samples = upper(bits, channels)
    clear = samples[3, 4]
    chunks = chunk(b"tRNS", clear.astype(">u2").tobytes())
    (tmp_path / "x.png").write_bytes(png(samples, bits=bits, colour=0 if channels == 1 else 2, chunks=chunks))
    left = np.where((samples == clear).all(axis=-1, keepdims=True), 0, samples) * {2: 85, 4: 17}.get(bits, 1)
    expected = left[..., 0] if channels == 1 else luminance(left)
    np.testing.assert_allclose(read(tmp_path / "x.png"), expected, rtol=1e-5, atol=1 if channels == 3 else 0)


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("kind", ["grey", "colour", "inks"])
@pytest.mark.parametrize("ending", ["jpg", "tif"])
def test_a_jpeg_alone_or_in_a_tiff_is_right(tmp_path: Path, kind: str, orientation: int, ending: str) -> None:
    """Smooth, for JPEG keeps no noise."""
    across, down = np.meshgrid(np.linspace(0, 255, 40), np.linspace(0, 255, 24))
    grey = (across + down) / 2
    upright = grey if kind == "grey" else np.stack([grey, 255 - grey, across, np.zeros_like(down)], axis=2)
    upright = np.round(upright[..., :3] if kind == "colour" else upright).astype(np.uint8)
    mode = {"grey": "L", "colour": "RGB", "inks": "CMYK"}[kind]
    stored = np.ascontiguousarray(STORED[orientation](upright))
    image = Image.frombytes(mode, stored.shape[1::-1], stored.tobytes())
    tags = Image.Exif()
    tags[274] = orientation
    path = tmp_path / f"x.{ending}"
    if ending == "jpg":
        image.save(path, exif=tags, quality=100, subsampling=0)
    else:
        image.save(path, compression="jpeg", quality=100, tiffinfo={274: orientation})
    inks = 255.0 - upright
    colour = inks[..., :3] * inks[..., 3:] / 255 if kind == "inks" else upright
    expected = colour if kind == "grey" else luminance(colour)
    np.testing.assert_allclose(read(path), expected, atol=6)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA"])
def test_a_bmp_is_right(tmp_path: Path, mode: str) -> None:
    colours = upper(8, 4)
    if mode in ("1", "L"):
        image = Image.fromarray(colours[..., 0] > 127 if mode == "1" else colours[..., 0])
        expected = np.asarray(image).astype(float)
    elif mode == "P":
        image = Image.frombytes("P", (WIDTH, HEIGHT), colours[..., 0].tobytes())
        image.putpalette(bytes(range(256)) * 3)
        palette = np.frombuffer(bytes(range(256)) * 3, np.uint8).reshape(256, 3)
        expected = luminance(palette[colours[..., 0]])
    else:
        image = Image.fromarray(colours[..., : len(mode)])
        expected = luminance(colours)  # the fourth byte of a BMP without masks means nothing
    image.save(tmp_path / "x.bmp")
    np.testing.assert_allclose(read(tmp_path / "x.bmp"), expected, atol=0 if mode in ("1", "L") else 0.6)


SMALL = upper(8)[:4, :5]


def test_the_full_picture_of_a_tiff_with_a_thumbnail_is_taken(tmp_path: Path) -> None:
    full, reduced, mask = (
        (upper(16), {262: 0, 274: 6}),
        (SMALL.astype(np.uint16), {262: 1, 254: 1}),
        (
            SMALL.astype(np.uint16),
            {262: 1, 254: 4},
        ),
    )
    older = (SMALL.astype(np.uint16), {262: 1, 255: 2})  # SubfileType, of TIFF 5
    for pages in itertools.permutations([full, reduced, mask]):
        (tmp_path / "x.tif").write_bytes(tiff(list(pages), bits=16))
        expected = 65535 - STORED[8](upper(16))  # 8 undoes 6
        np.testing.assert_array_equal(read(tmp_path / "x.tif"), expected)
    for pages in itertools.permutations([full, older]):
        (tmp_path / "x.tif").write_bytes(tiff(list(pages), bits=16))
        np.testing.assert_array_equal(read(tmp_path / "x.tif"), expected)


def test_a_lone_page_is_the_picture_even_where_it_is_called_reduced(tmp_path: Path) -> None:
    (tmp_path / "x.tif").write_bytes(tiff([(SMALL, {262: 1, 254: 1})], bits=8))
    np.testing.assert_array_equal(read(tmp_path / "x.tif"), SMALL)


def test_pages_that_are_all_full_or_all_reduced_are_refused(tmp_path: Path) -> None:
    (tmp_path / "full.tif").write_bytes(tiff([(SMALL, {262: 1})] * 3, bits=8))
    with pytest.raises(ValueError, match=r"^full\.tif must hold one picture; got 3\. Save one of them"):
        read(tmp_path / "full.tif")
    (tmp_path / "two.tif").write_bytes(tiff([(SMALL, {262: 1}), (SMALL, {262: 1, 254: 1}), (SMALL, {262: 1})], bits=8))
    with pytest.raises(ValueError, match=r"^two\.tif must hold one picture; got 2 and 1 reduced or mask pages"):
        read(tmp_path / "two.tif")
    (tmp_path / "none.tif").write_bytes(tiff([(SMALL, {262: 1, 254: 1})] * 2, bits=8))
    with pytest.raises(ValueError, match=r"^none\.tif must hold one picture; got 0 and 2 reduced or mask pages"):
        read(tmp_path / "none.tif")


def test_the_limit_of_pixels_is_that_of_the_full_page(tmp_path: Path) -> None:
    pages = [(SMALL, {262: 1, 254: 1}), (upper(8), {262: 1})]
    (tmp_path / "x.tif").write_bytes(tiff(pages, bits=8))
    reader = RadiographReader(limits=Limits(pixels=SMALL.size))
    with pytest.raises(ValueError, match=rf"^x\.tif must have at most 20 pixels; got {WIDTH} x {HEIGHT}"):
        reader.get_data(reader.read(tmp_path / "x.tif"))


def test_the_primary_picture_of_a_telephones_jpeg_is_taken(tmp_path: Path) -> None:
    first, second = Image.new("L", (24, 16), 90), Image.new("L", (12, 8), 200)
    first.save(tmp_path / "x.jpg", format="MPO", save_all=True, append_images=[second], quality=100)
    with Image.open(tmp_path / "x.jpg") as image:
        assert image.format == "MPO"
    np.testing.assert_allclose(read(tmp_path / "x.jpg"), np.full((16, 24), 90), atol=1)


def test_a_moving_picture_is_refused(tmp_path: Path) -> None:
    first, second = Image.new("L", (8, 8), 9), Image.new("L", (8, 8), 200)
    first.save(tmp_path / "x.png", save_all=True, append_images=[second])
    with pytest.raises(ValueError, match=r"^x\.png must hold one picture; got 2\. Save one of them"):
        read(tmp_path / "x.png")


ENDINGS = ("png", "jpg", "bmp", "tif")


@pytest.mark.parametrize(("kind", "ending"), list(itertools.product(["PNG", "JPEG", "BMP", "TIFF"], ENDINGS)))
def test_the_content_says_which_of_the_four_kinds_a_picture_is(tmp_path: Path, kind: str, ending: str) -> None:
    Image.new("L", (24, 16), 90).save(tmp_path / f"x.{ending}", format=kind)
    np.testing.assert_allclose(read(tmp_path / f"x.{ending}"), np.full((16, 24), 90), atol=1)


def by_pillow(kind: str) -> Callable[[Path], None]:
    return lambda path: Image.new("RGB", (8, 8)).save(path, format=kind)


def by_bytes(start: bytes) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_bytes(start + bytes(200))

    return write


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize(
    ("write", "kind"),
    [
        (by_pillow("EPS"), "PostScript"),
        (by_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"), "PostScript"),
        (by_pillow("GIF"), "GIF"),
        (by_bytes(b"RIFF\x10\0\0\0WEBPVP8 "), "WebP"),
        (by_pillow("PDF"), "PDF"),
        (by_bytes(b"\0" * 128 + b"DICM"), "DICOM"),
        (by_bytes(b"\x1f\x8b"), "a gzip archive"),
    ],
)
def test_what_only_has_the_name_of_a_picture_is_refused_with_what_it_is(
    tmp_path: Path, write: Callable[[Path], None], kind: str, ending: str
) -> None:
    path = tmp_path / f"x.{ending}"
    write(path)
    for refused in (read, radiograph_size):
        with pytest.raises(ValueError, match=rf"^x\.{ending} must be a PNG, JPEG, BMP or TIFF .*; got {kind}"):
            refused(path)


def test_postscript_never_reaches_ghostscript(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", never)
    by_pillow("EPS")(tmp_path / "x.png")
    with pytest.raises(ValueError, match="got PostScript"):
        read(tmp_path / "x.png")


def test_files_that_end_too_early_are_refused(tmp_path: Path) -> None:
    whole = {
        "png": png(upper(16, 3), bits=16, colour=2),
        "la.png": png(upper(16, 2), bits=16, colour=4),
        "tif": tiff([(upper(16, 3), {262: COLOUR})], bits=16, compression="deflate"),
        "lzw.tif": tiff([(upper(16), {262: 0})], bits=16, compression="lzw"),
        "raw.tif": tiff([(upper(16), {262: 0})], bits=16),
    }
    for name, data in whole.items():
        for length in (0, 1, 3, 9, 27, 60, len(data) // 2, len(data) - 30):
            path = tmp_path / f"x.{name}"
            path.write_bytes(data[:length])
            with pytest.raises(ValueError, match=r"^x\.[a-z.]+ must be a"):
                read(path)


@pytest.mark.parametrize("orientation", STORED)
def test_a_landmark_at_the_far_edge_of_a_turned_tiff_stays(tmp_path: Path, orientation: int) -> None:
    upright = np.zeros((40, 620), np.uint16)
    page = (STORED[orientation](upright), {262: BLACK_IS_ZERO, 274: orientation})
    (tmp_path / "x.tif").write_bytes(tiff([page], bits=16))
    (tmp_path / "landmarks.csv").write_text("image,a_x,a_y\nx.tif,600,30\n")
    data = read_layout(tmp_path, test=0, validation=0)
    [domain] = data.domains.values()
    [case] = data.cases("all")
    assert case["landmarks"] == [[600.0, 30.0]]
    assert domain.size[0] > domain.size[1]


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_a_tiff_that_lacks_a_strip_is_refused(tmp_path: Path, compression: str) -> None:
    whole = tiff([(upper(8), {262: BLACK_IS_ZERO})], bits=8, compression=compression)
    (tmp_path / "x.tif").write_bytes(whole)
    with Image.open(tmp_path / "x.tif") as image:
        first, length = image.tag_v2[273][0], image.tag_v2[279][0]
    lacking = tiff([(upper(8), {262: BLACK_IS_ZERO, 273: [first], 279: [length]})], bits=8, compression=compression)
    (tmp_path / "x.tif").write_bytes(lacking)
    with pytest.raises(ValueError, match=r"^x\.tif must"):
        read(tmp_path / "x.tif")
