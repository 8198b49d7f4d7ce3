# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Volumes of every format: the array and where it lies, by nibabel, ITK, and headers written by hand."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import itk
import nibabel as nib
import numpy as np
import pytest
from series_files import make_enhanced, make_series, oblique_affine
from volume_files import (
    LPS_OF_RAS,
    write_mha,
    write_mha_header,
    write_nifti,
    write_nrrd,
    write_nrrd_header,
)

from monai_gu2net.data import RadiographReader
from monai_gu2net.data.reader import image_shape, radiograph_size
from monai_gu2net.dicom import Limits

# ITK's bindings crash while they are imported where this warning of theirs is an error (swig/swig#2881).
pytestmark = pytest.mark.filterwarnings(r"ignore:builtin type \w+ has no __module__ attribute:DeprecationWarning")

FLIPPED = np.diag([-0.5, 2.0, -3.0, 1.0])
SHEARED = oblique_affine() @ np.array([[1, 0, 0, 0], [0.3, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])


@pytest.fixture
def volume(rng: np.random.Generator) -> np.ndarray:
    """(5, 4, 3) whole numbers."""
    return rng.integers(0, 1000, (5, 4, 3)).astype(np.float32)


def read(path: Path, **options: Any) -> tuple[np.ndarray, np.ndarray, str]:
    reader = RadiographReader(**options)
    array, meta = reader.get_data(reader.read(path))
    return array, meta["affine"], meta["spacing_source"]


def by_itk(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """The array, first axis first, and its affine to RAS mm."""
    image = itk.imread(str(path))
    lps = np.eye(4)
    lps[:3, :3] = itk.array_from_matrix(image.GetDirection()) * np.array(image.GetSpacing())
    lps[:3, 3] = np.array(image.GetOrigin())
    return itk.array_from_image(image).transpose(2, 1, 0), LPS_OF_RAS @ lps


@pytest.mark.parametrize("affine", [oblique_affine(), FLIPPED, SHEARED], ids=["oblique", "flipped", "sheared"])
@pytest.mark.parametrize("kind", ["nii", "LPS.nrrd", "RAS.nrrd", "LAS.nrrd", "mha"])
def test_array_and_world_are_those_that_were_written_and_those_of_itk_and_nibabel(
    tmp_path: Path, volume: np.ndarray, kind: str, affine: np.ndarray, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / f"a.{kind}"
    if kind == "nii":
        write_nifti(path, volume, affine)
        peer = nib.load(path)
        expected, theirs = np.asarray(peer.dataobj), peer.affine
    else:
        write_mha(path, volume, affine) if kind == "mha" else write_nrrd(path, volume, affine, space=kind[:3])
        expected, theirs = by_itk(path)
    array, found, source = read(path)
    assert source == "file"
    np.testing.assert_array_equal(array, volume)
    np.testing.assert_array_equal(array, expected)
    np.testing.assert_allclose(found, affine, atol=1e-5)
    np.testing.assert_allclose(found, theirs, atol=1e-9)
    assert not caplog.records


def nifti(path: Path, volume: np.ndarray, *, sform: int, qform: int, unit: str = "mm") -> Path:
    """With two frames that differ, each with a code."""
    image = nib.Nifti1Image(volume, None)
    image.set_qform(oblique_affine((1.0, 2.0, 3.0)), code=qform)
    image.set_sform(oblique_affine((1.5, 2.5, 3.5), degrees=-35), code=sform)
    image.header.set_xyzt_units(unit)
    image.to_filename(path)
    return path


@pytest.mark.parametrize(("sform", "qform"), [(1, 1), (4, 1), (2, 0), (0, 1)])
def test_the_sform_of_a_nifti_goes_before_its_qform(
    tmp_path: Path, volume: np.ndarray, sform: int, qform: int, caplog: pytest.LogCaptureFixture
) -> None:
    """MONAI 1.6's NibabelReader takes the qform here, also where its code is 0, since pixdim is that of the qform."""
    path = nifti(tmp_path / "a.nii", volume, sform=sform, qform=qform)
    expected = oblique_affine((1.5, 2.5, 3.5), degrees=-35) if sform else oblique_affine((1.0, 2.0, 3.0))
    np.testing.assert_allclose(read(path)[1], expected, atol=1e-5)
    np.testing.assert_allclose(read(path)[1], nib.load(path).affine, atol=1e-9)
    assert not caplog.records


def test_a_nifti_that_says_nothing_of_its_axes_is_taken_as_nibabel_takes_it_and_said(
    tmp_path: Path, volume: np.ndarray, caplog: pytest.LogCaptureFixture
) -> None:
    path = nifti(tmp_path / "a.nii", volume, sform=0, qform=0)
    _, affine, source = read(path)
    assert source == "file"
    np.testing.assert_allclose(affine, [[-1, 0, 0, 2], [0, 2, 0, -3], [0, 0, 3, -3], [0, 0, 0, 1]], atol=1e-6)
    [said] = caplog.messages
    assert said == (
        "a.nii does not say where its axes lead: its sform_code and qform_code are 0; taken as L, A, S about its "
        "middle, as by nibabel"
    )


@pytest.mark.parametrize("unit", ["unknown", "mm"])
def test_a_nifti_that_says_neither_directions_nor_lengths_nor_a_unit_has_no_scale(
    tmp_path: Path, volume: np.ndarray, unit: str
) -> None:
    """The origin is nibabel's own; one that names its unit says that its voxels are of one."""
    image = nib.Nifti1Image(volume, None)
    image.header.set_xyzt_units(unit)
    image.to_filename(tmp_path / "a.nii")
    _, affine, source = read(tmp_path / "a.nii")
    assert source == ("none" if unit == "unknown" else "file")
    np.testing.assert_allclose(affine, nib.load(tmp_path / "a.nii").affine)


@pytest.mark.parametrize(("unit", "factor"), [("mm", 1.0), ("meter", 1000.0), ("micron", 0.001), ("unknown", 1.0)])
def test_the_unit_of_a_nifti_scales_its_axes_and_its_origin(
    tmp_path: Path, volume: np.ndarray, unit: str, factor: float
) -> None:
    path = nifti(tmp_path / "a.nii", volume, sform=1, qform=1, unit=unit)
    expected = np.diag([factor, factor, factor, 1]) @ oblique_affine((1.5, 2.5, 3.5), degrees=-35)
    np.testing.assert_allclose(read(path)[1], expected, rtol=1e-5)


def test_stored_whole_numbers_of_a_nifti_are_scaled(tmp_path: Path, volume: np.ndarray) -> None:
    image = nib.Nifti1Image(volume.astype(np.int16), oblique_affine())
    image.header.set_slope_inter(0.5, -7)
    image.to_filename(tmp_path / "a.nii")  # which stores (values + 7) / 0.5
    data = bytearray((tmp_path / "a.nii").read_bytes())
    data[352:] = volume.astype("<i2").tobytes(order="F")
    (tmp_path / "a.nii").write_bytes(data)
    np.testing.assert_array_equal(read(tmp_path / "a.nii")[0], volume * 0.5 - 7)


@pytest.mark.parametrize("shape", [(5, 4, 3, 1), (5, 4, 3, 1, 1)])
def test_one_time_point_of_a_nifti_is_a_volume(tmp_path: Path, volume: np.ndarray, shape: tuple[int, ...]) -> None:
    write_nifti(tmp_path / "a.nii", volume.reshape(shape), oblique_affine())
    np.testing.assert_array_equal(read(tmp_path / "a.nii")[0], volume)


@pytest.mark.parametrize("kind", ["nrrd", "mha"])
def test_one_time_point_of_itk_is_a_volume(tmp_path: Path, volume: np.ndarray, kind: str) -> None:
    path = tmp_path / f"a.{kind}"
    itk.imwrite(itk.image_from_array(volume.transpose(2, 1, 0)[None].copy()), str(path))
    np.testing.assert_array_equal(read(path)[0], volume)


@pytest.mark.parametrize("kind", ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "double"])
def test_a_nrrd_of_any_type_of_values_is_read(tmp_path: Path, volume: np.ndarray, kind: str) -> None:
    """What pynrrd writes of NumPy's whole numbers is int64, and masks are int8."""
    stored = volume % 100 - (0 if kind.startswith("u") else 50)
    code = np.dtype({"double": "float64"}.get(kind, kind)).newbyteorder("<")
    write_nrrd_header(tmp_path / "a.nrrd", volume, f"space: LPS\n{ORIGIN}")
    head, _, _ = (tmp_path / "a.nrrd").read_bytes().partition(b"\n\n")
    values = stored.astype(code).tobytes(order="F")
    (tmp_path / "a.nrrd").write_bytes(head.replace(b"type: float", f"type: {kind}".encode()) + b"\n\n" + values)
    np.testing.assert_array_equal(read(tmp_path / "a.nrrd")[0], stored)


@pytest.mark.parametrize(("element", "code"), [("MET_CHAR", "i1"), ("MET_LONG_LONG", "<i8"), ("MET_ULONG_LONG", "<u8")])
def test_a_metaimage_of_any_type_of_values_is_read(tmp_path: Path, volume: np.ndarray, element: str, code: str) -> None:
    stored = volume % 100
    write_mha_header(tmp_path / "a.mha", volume, "TransformMatrix = 1 0 0 0 1 0 0 0 1\nElementSpacing = 2 3 4\n")
    head, mark, _ = (tmp_path / "a.mha").read_bytes().partition(b"ElementDataFile = LOCAL\n")
    values = stored.astype(code).tobytes(order="F")
    (tmp_path / "a.mha").write_bytes(head.replace(b"MET_FLOAT", element.encode()) + mark + values)
    np.testing.assert_array_equal(read(tmp_path / "a.mha")[0], stored)


def test_channels_of_a_type_that_itk_has_no_image_of_are_refused_in_one_line(tmp_path: Path) -> None:
    channels = np.zeros((2, 5, 4, 3))
    write_nrrd_header(tmp_path / "a.nrrd", channels, "kinds: vector domain domain domain\n")
    head, _, _ = (tmp_path / "a.nrrd").read_bytes().partition(b"\n\n")
    values = channels.astype("<i8").tobytes()
    (tmp_path / "a.nrrd").write_bytes(head.replace(b"type: float", b"type: int64") + b"\n\n" + values)
    with pytest.raises(ValueError, match=r"^a\.nrrd must have one channel, .*; got 2 of long(?: long)?\. Save it"):
        read(tmp_path / "a.nrrd")


def test_time_points_and_components_at_once_and_colours_are_refused(tmp_path: Path) -> None:
    write_nifti(tmp_path / "a.nii", np.zeros((5, 4, 3, 2, 3)), oblique_affine())
    with pytest.raises(ValueError, match=r"^a\.nii must have one axis beyond those of space; got \(5, 4, 3, 2, 3\)"):
        read(tmp_path / "a.nii")
    colours = np.zeros((5, 4, 3), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    nib.Nifti1Image(colours, oblique_affine()).to_filename(tmp_path / "rgb.nii")
    with pytest.raises(ValueError, match=r"^rgb\.nii must have grey values; got colours"):
        read(tmp_path / "rgb.nii")


def test_a_slice_in_a_volume_format_is_a_picture_of_the_image_plane(tmp_path: Path, volume: np.ndarray) -> None:
    write_nifti(tmp_path / "a.nii", volume[:, :, :1], np.diag([-0.5, 0.25, 3.0, 1.0]))
    array, affine, _ = read(tmp_path / "a.nii")
    np.testing.assert_array_equal(array, volume[:, :, 0])
    np.testing.assert_array_equal(affine, np.diag([0.5, 0.25, 1, 1]))


ORIGIN = "space directions: (2,0,0) (0,3,0) (0,0,4)\nspace origin: (10,20,30)\n"


@pytest.mark.parametrize(
    ("header", "expected", "said"),
    [
        (f"space: left-posterior-superior\n{ORIGIN}", [-2, -3, 4, -10, -20, 30], ""),
        (f"space: right-anterior-superior\n{ORIGIN}", [2, 3, 4, 10, 20, 30], ""),
        (f"space: left-anterior-superior\n{ORIGIN}", [-2, 3, 4, -10, 20, 30], ""),
        (
            f"space: scanner-xyz\n{ORIGIN}",
            [-2, -3, 4, -10, -20, 30],
            "its space is scanner-xyz; taken as left-posterior-superior",
        ),
        (
            f"space dimension: 3\n{ORIGIN}",
            [-2, -3, 4, -10, -20, 30],
            "its space is not named; taken as left-posterior-superior",
        ),
        ("spacings: 2 3 4\n", [-2, -3, 4, 0, 0, 0], "it has no space directions; taken as L, P, S"),
        (f'space: LPS\n{ORIGIN}space units: "um" "um" "um"\n', [-0.002, -0.003, 0.004, -0.01, -0.02, 0.03], ""),
        ('spacings: 2 3 4\nunits: "cm" "cm" "cm"\n', [-20, -30, 40, 0, 0, 0], "it has no space directions; taken as L"),
    ],
)
def test_a_nrrd_is_in_the_space_and_unit_that_it_names_or_what_is_assumed_is_said(
    tmp_path: Path,
    volume: np.ndarray,
    header: str,
    expected: list[float],
    said: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    write_nrrd_header(tmp_path / "a.nrrd", volume, header)
    array, affine, source = read(tmp_path / "a.nrrd")
    np.testing.assert_array_equal(array, volume)
    wanted = np.diag([*expected[:3], 1])
    wanted[:3, 3] = expected[3:]
    np.testing.assert_allclose(affine, wanted, rtol=1e-6)
    assert source == "file"
    assert [message.partition(": ")[2].startswith(said) for message in caplog.messages] == [True] * bool(said)


@pytest.mark.parametrize(
    "header",
    [
        "TransformMatrix = 0 1 0 -1 0 0 0 0 1\nOffset = 1 2 3\nElementSpacing = 2 3 4\n",
        "Orientation = 0 1 0 -1 0 0 0 0 1\nOrigin = 1 2 3\nElementSpacing = 2 3 4\n",
    ],
)
def test_the_matrix_of_a_metaimage_holds_the_direction_of_one_axis_after_the_other(
    tmp_path: Path, volume: np.ndarray, header: str, caplog: pytest.LogCaptureFixture
) -> None:
    write_mha_header(tmp_path / "a.mha", volume, header)
    _, affine, source = read(tmp_path / "a.mha")
    assert (source, caplog.messages) == ("file", [])
    lps = LPS_OF_RAS @ affine
    np.testing.assert_allclose(lps @ [0, 0, 0, 1], [1, 2, 3, 1])
    np.testing.assert_allclose(lps @ [1, 0, 0, 1], [1, 4, 3, 1])  # 2 mm along (0, 1, 0)
    np.testing.assert_allclose(lps @ [0, 1, 0, 1], [-2, 2, 3, 1])  # 3 mm along (-1, 0, 0)
    assert not caplog.messages


def test_a_metaimage_without_directions_and_one_in_micrometres(
    tmp_path: Path, volume: np.ndarray, caplog: pytest.LogCaptureFixture
) -> None:
    write_mha_header(tmp_path / "a.mha", volume, "ElementSpacing = 200 300 400\nDistanceUnits = um\n")
    np.testing.assert_allclose(read(tmp_path / "a.mha")[1], np.diag([-0.2, -0.3, 0.4, 1]))
    assert caplog.messages == ["a.mha does not say where its axes lead: it has no TransformMatrix; taken as L, P, S"]


def test_a_unit_that_is_no_length_is_refused(tmp_path: Path, volume: np.ndarray) -> None:
    write_nrrd_header(tmp_path / "a.nrrd", volume, 'spacings: 1 1 1\nunits: "mm" "mm" "s"\n')
    with pytest.raises(ValueError, match=r"^a\.nrrd must have all axes in one of mm, um, cm and m; got mm, s\. Save"):
        read(tmp_path / "a.nrrd")


@pytest.mark.parametrize("kind", ["nii", "nrrd", "mha"])
def test_a_volume_that_states_no_scale_says_so_and_has_none(
    tmp_path: Path, volume: np.ndarray, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / f"a.{kind}"
    if kind == "nii":
        nib.Nifti1Image(volume, np.eye(4)).to_filename(path)
    else:
        itk.imwrite(itk.image_from_array(volume.transpose(2, 1, 0).copy()), str(path))
    assert read(path)[2] == "none"
    assert any(message.startswith(f"a.{kind} states no scale (voxels of 1") for message in caplog.messages)
    with caplog.at_level(logging.CRITICAL):
        write_nifti(path := tmp_path / "mm.nii", volume, np.eye(4))
    assert read(path)[2] == "file"  # it names its unit


@pytest.mark.parametrize(
    ("affine", "name"),
    [
        (np.diag([1.0, 0.0, 2.0, 1.0]), "a.nii"),
        (np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]]), "b.nii"),
    ],
)
def test_axes_without_a_length_or_a_direction_of_their_own_are_refused(
    tmp_path: Path, volume: np.ndarray, affine: np.ndarray, name: str
) -> None:
    image = nib.Nifti1Image(volume, None)
    image.header["srow_x"], image.header["srow_y"], image.header["srow_z"] = affine[:3]
    image.header["sform_code"] = 1
    image.to_filename(tmp_path / name)
    data = bytearray((tmp_path / name).read_bytes())
    data[254:256] = (1).to_bytes(2, "little")  # sform_code and rows, as nibabel would not write them
    data[280:328] = affine[:3].astype("<f4").tobytes()
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ValueError, match=rf"^{name[0]}\.nii must have three axes of a length and a direction of their"):
        read(tmp_path / name)


def test_what_itk_refuses_is_said_in_one_line(tmp_path: Path, volume: np.ndarray) -> None:
    header = "TransformMatrix = 1 0 0 1 0 0 0 0 1\nElementSpacing = 2 3 4\n"
    write_mha_header(tmp_path / "a.mha", volume, header)
    with pytest.raises(ValueError, match=r"^a\.mha must be a whole image; got Bad direction, determinant is 0") as said:
        read(tmp_path / "a.mha")
    assert "\n" not in str(said.value)
    assert "ITK" not in str(said.value)


@pytest.mark.parametrize("kept", [None, 100])
def test_a_header_whose_values_are_missing_or_cut_says_so(tmp_path: Path, volume: np.ndarray, kept: int | None) -> None:
    itk.imwrite(itk.image_from_array(volume.transpose(2, 1, 0).copy()), str(tmp_path / "a.mhd"))
    [values] = set(tmp_path.iterdir()) - {tmp_path / "a.mhd"}
    whole = values.read_bytes()
    values.unlink()
    if kept:
        values.write_bytes(whole[:kept])
    with pytest.raises(
        ValueError, match=r"^a\.mhd must be a whole image; got values that are not there, or too few"
    ) as e:
        read(tmp_path / "a.mhd")
    assert "No such file" not in str(e.value)


def test_a_folder_of_slices_is_a_volume_and_its_shape_is_known_from_the_headers(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    values = rng.integers(0, 4096, (6, 5, 4)).astype(np.uint16)
    folder = make_series(tmp_path / "ct.nii", values, oblique_affine())  # whatever the folder is called
    array, affine, source = read(folder)
    np.testing.assert_array_equal(array, values.astype(np.float32) - 1024)
    np.testing.assert_allclose(affine, oblique_affine(), atol=1e-6)
    assert source == "file"
    assert image_shape(folder) == (6, 5, 4)
    assert radiograph_size(folder) is None
    assert RadiographReader().verify_suffix(folder)


def test_an_enhanced_file_is_a_volume_unless_a_frame_is_chosen(tmp_path: Path, rng: np.random.Generator) -> None:
    values = rng.integers(0, 4096, (6, 5, 4)).astype(np.uint16)
    path = make_enhanced(tmp_path / "a.dcm", values, oblique_affine(), slope=lambda frame: 1.0)
    np.testing.assert_array_equal(read(path)[0], values.astype(np.float32) - 1024)
    assert image_shape(path) == (6, 5, 4)
    np.testing.assert_array_equal(read(path, frame=2)[0], values[..., 2].astype(np.float32) - 1024)


def test_a_folder_that_is_no_series_is_refused_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "broken.png").mkdir()
    with pytest.raises(ValueError, match=r"^broken\.png: a series must hold DICOM images; got none"):
        read(tmp_path / "broken.png")
    assert not RadiographReader().verify_suffix(tmp_path / "broken")


@pytest.mark.parametrize("write", [write_nifti, write_mha])
def test_a_volume_beyond_the_limits_is_refused(tmp_path: Path, volume: np.ndarray, write: Any) -> None:
    path = write(tmp_path / ("a.nii" if write is write_nifti else "a.mha"), volume, oblique_affine())
    with pytest.raises(ValueError, match=r"must take at most 200 bytes of memory; got 5 x 4 x 3"):
        read(path, limits=Limits(memory_bytes=200))


@pytest.mark.parametrize("ending", ["nrrd", "mha"])
def test_reading_does_not_move_the_process_to_another_folder(tmp_path: Path, volume: np.ndarray, ending: str) -> None:
    """In a process of its own, for ITK loads its libraries once; other threads would look for their files elsewhere."""
    itk.imwrite(itk.image_from_array(volume), str(tmp_path / f"a.{ending}"))
    code = (
        "import os, threading; moved = []; change = os.chdir\n"
        "os.chdir = lambda place: (moved.append(place), change(place))\n"
        "from monai_gu2net.data import RadiographReader\n"
        "shapes = []\n"
        "def read():\n"
        "    reader = RadiographReader()\n"
        f"    shapes.append(reader.get_data(reader.read('a.{ending}'))[0].shape)\n"
        "threads = [threading.Thread(target=read) for _ in range(4)]\n"
        "[thread.start() for thread in threads]; [thread.join() for thread in threads]\n"
        "print(moved, len(shapes), set(shapes))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.strip() == f"[] 4 {{{volume.T.shape}}}", done.stderr
