# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path
from typing import Any

import highdicom
import itk
import numpy as np
import pydicom
import pytest
from dicom_files import make_dicom, picture
from nibabel.affines import apply_affine
from pydicom import uid
from series_files import RAS_OF_LPS, make_enhanced, make_series, oblique_affine
from volume_files import orientations, stored_as

from monai_gu2net.dicom import DicomError, Limits, Series, read_radiograph, read_series, series_headers

SHAPE = (9, 7, 5)
WHEEL = Path(pydicom.__file__).parent / "data" / "test_files"


@pytest.fixture
def volume(rng: np.random.Generator) -> np.ndarray:
    """(9, 7, 5) stored values of 12 bits."""
    return rng.integers(0, 4096, SHAPE).astype(np.uint16)


def itk_series(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """(W, H, D) and the affine to RAS by ITK's sorter and series reader."""
    names = itk.GDCMSeriesFileNames.New()
    names.SetDirectory(str(folder))
    [series] = names.GetSeriesUIDs()
    reader = itk.ImageSeriesReader[itk.Image[itk.F, 3]].New(ImageIO=itk.GDCMImageIO.New())
    reader.SetFileNames(names.GetFileNames(series))
    reader.Update()
    image = reader.GetOutput()
    lps = np.eye(4)
    lps[:3, :3] = itk.array_from_matrix(image.GetDirection()) * np.array(image.GetSpacing())
    lps[:3, 3] = np.array(image.GetOrigin())
    return itk.array_from_image(image).transpose(2, 1, 0), RAS_OF_LPS @ lps


def test_a_series_is_sorted_along_its_normal_and_scaled_as_it_was_written(tmp_path: Path, volume: np.ndarray) -> None:
    affine = oblique_affine()
    found = read_series(make_series(tmp_path / "ct", volume, affine))
    np.testing.assert_array_equal(found.pixels, volume.astype(np.float32) - 1024)
    np.testing.assert_allclose(found.affine, affine, atol=1e-6)


def assert_same_world(found: Series, peer: highdicom.Volume) -> None:
    """Every voxel lies where highdicom has it, whose volumes are (slices, rows, columns) in LPS."""
    index = np.indices(found.pixels.shape).reshape(3, -1)
    lps = (RAS_OF_LPS @ found.affine @ np.vstack([index, np.ones(index.shape[1])]))[:3].T
    theirs = peer.map_reference_to_indices(lps, round_output=False)
    at = np.rint(theirs).astype(int)
    np.testing.assert_allclose(theirs, at, atol=1e-4)
    np.testing.assert_allclose(peer.array[tuple(at.T)], found.pixels.ravel(), rtol=1e-6)


@pytest.mark.filterwarnings(r"ignore:builtin type \w+ has no __module__ attribute:DeprecationWarning")
@pytest.mark.parametrize("degrees", [0.0, 33.0])
def test_array_and_affine_agree_with_those_of_itk_and_highdicom(
    tmp_path: Path, volume: np.ndarray, degrees: float
) -> None:
    folder = make_series(tmp_path / "ct", volume, oblique_affine(degrees=degrees))
    found = read_series(folder)
    array, affine = itk_series(folder)
    np.testing.assert_array_equal(found.pixels, array)
    np.testing.assert_allclose(found.affine, affine, atol=1e-5)
    peer = highdicom.get_volume_from_series([pydicom.dcmread(path) for path in folder.iterdir()])
    assert_same_world(found, peer)


@pytest.mark.filterwarnings(r"ignore:builtin type \w+ has no __module__ attribute:DeprecationWarning")
def test_a_real_series_of_ct_is_that_of_itk() -> None:
    folder = WHEEL / "dicomdirtests" / "98892001" / "CT5N"
    found = read_series(folder)
    array, affine = itk_series(folder)
    assert found.pixels.shape == (16, 16, 5)
    np.testing.assert_array_equal(found.pixels, array)
    np.testing.assert_allclose(found.affine, affine, atol=1e-5)


def test_every_folder_in_pydicoms_wheel_is_read_or_refused_by_its_name_or_a_files() -> None:
    read = []
    for folder in sorted({path.parent for path in WHEEL.rglob("*") if path.is_file()}):
        try:
            read.append((folder.name, read_series(folder).pixels.shape))
        except DicomError as error:
            assert str(error).startswith((folder.name, *(path.name for path in folder.iterdir())))  # noqa: PT017
    assert read == [("CT5N", (16, 16, 5))]


def test_headers_come_in_the_order_of_the_slices(tmp_path: Path, volume: np.ndarray) -> None:
    folder = make_series(tmp_path / "ct", volume, oblique_affine())
    assert [int(header.InstanceNumber) for header in series_headers(folder)] == [1, 2, 3, 4, 5]
    backwards = make_series(tmp_path / "back", volume, oblique_affine() @ np.diag([1.0, 1.0, -1.0, 1.0]))
    assert [int(header.InstanceNumber) for header in series_headers(backwards)] == [5, 4, 3, 2, 1]


def test_slices_stored_the_other_way_round_are_the_same_world(tmp_path: Path, volume: np.ndarray) -> None:
    backwards = oblique_affine() @ np.diag([1.0, 1.0, -1.0, 1.0])
    found = read_series(make_series(tmp_path / "ct", volume, backwards))
    np.testing.assert_array_equal(found.pixels, volume[..., ::-1].astype(np.float32) - 1024)
    last = backwards @ [0, 0, 4, 1]
    np.testing.assert_allclose(found.affine @ [0, 0, 0, 1], last, atol=1e-6)
    assert np.linalg.det(found.affine) > 0


def test_a_volume_cut_into_slices_in_each_of_48_orientations_is_the_same_in_the_world(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    volume, affine = rng.integers(0, 4096, (4, 3, 5)).astype(np.uint16), oblique_affine()
    index = np.indices(volume.shape).reshape(3, -1).T
    world = apply_affine(affine, index)
    for number, orientation in enumerate(orientations()):
        array, stored = stored_as(volume, affine, orientation)
        found = read_series(make_series(tmp_path / str(number), array, stored))
        assert np.linalg.det(found.affine) > 0  # of RAS as of LPS
        theirs = apply_affine(np.linalg.inv(found.affine), world)
        at = np.rint(theirs).astype(int)
        np.testing.assert_allclose(theirs, at, atol=1e-5)
        np.testing.assert_array_equal(found.pixels[tuple(at.T)], volume.ravel() - 1024.0)


def test_a_list_of_files_is_a_series_as_well(tmp_path: Path, volume: np.ndarray) -> None:
    folder = make_series(tmp_path / "ct", volume, oblique_affine())
    np.testing.assert_array_equal(read_series(list(folder.iterdir())).pixels, read_series(folder).pixels)


def test_each_slice_has_its_own_rescaling(tmp_path: Path, volume: np.ndarray) -> None:
    own = lambda level: {"RescaleSlope": str(level + 0.5), "RescaleIntercept": str(10 * level)}  # noqa: E731
    found = read_series(make_series(tmp_path / "pt", volume, oblique_affine(), each=own, Modality="PT"))
    expected = volume * (np.arange(5) + 0.5) + 10 * np.arange(5)
    np.testing.assert_allclose(found.pixels, expected, rtol=1e-6)


def test_padding_is_the_darkest_value_of_the_volume_and_may_fill_a_slice(tmp_path: Path, volume: np.ndarray) -> None:
    volume = np.maximum(volume, 50)
    volume[:2], volume[..., 4] = 0, 0
    volume[5, 5, 1] = 7
    found = read_series(make_series(tmp_path / "ct", volume, oblique_affine(), PixelPaddingValue=0))
    expected = np.where(volume == 0, 7, volume).astype(np.float32) - 1024
    np.testing.assert_array_equal(found.pixels, expected)


@pytest.mark.parametrize("syntax", [uid.RLELossless, uid.JPEG2000Lossless, "1.2.840.10008.1.2.4.70"])
def test_compressed_slices_are_the_same_volume(tmp_path: Path, syntax: str) -> None:
    volume = np.stack([picture().T, picture().T[::-1], picture().T // 2], axis=2)
    folder = make_series(tmp_path / "ct", volume, oblique_affine(), transfer_syntax=syntax)
    np.testing.assert_array_equal(read_series(folder).pixels, volume.astype(np.float32) - 1024)


def test_an_enhanced_object_is_the_series_of_its_frames_each_with_its_rescaling(
    tmp_path: Path, volume: np.ndarray
) -> None:
    affine = oblique_affine() @ np.diag([1.0, 1.0, -1.0, 1.0])
    path = make_enhanced(tmp_path / "enhanced" / "a.dcm", volume, affine, slope=lambda frame: frame + 1.0)
    for place in (path, path.parent):
        found = read_series(place)
        expected = (volume * (np.arange(5) + 1.0) - 1024)[..., ::-1]
        np.testing.assert_allclose(found.pixels, expected, rtol=1e-6)
        np.testing.assert_allclose(found.affine @ [1, 2, 0, 1], affine @ [1, 2, 4, 1], atol=1e-6)
    [header] = series_headers(path)
    assert header.NumberOfFrames == 5
    assert_same_world(found, highdicom.Image.from_dataset(pydicom.dcmread(path)).get_volume())
    frame = read_radiograph(path, frame=3)
    np.testing.assert_allclose(frame.pixels, volume[..., 3] * 4.0 - 1024, rtol=1e-6)


def test_what_is_no_image_and_hidden_files_beside_the_slices_are_no_part_of_them(
    tmp_path: Path, volume: np.ndarray
) -> None:
    folder = make_series(tmp_path / "ct", volume, oblique_affine())
    (folder / "readme.txt").write_text("slices of a phantom")
    (folder / ".IM0001").write_bytes(next(iter(folder.iterdir())).read_bytes())
    make_dicom(folder / "report.dcm", picture(), Rows=None, Columns=None, PixelData=None)
    assert read_series(folder).pixels.shape == SHAPE


def test_the_metadata_hold_no_name_and_nothing_of_a_single_slice(tmp_path: Path, volume: np.ndarray) -> None:
    found = read_series(make_series(tmp_path / "ct", volume, oblique_affine()))
    assert found.metadata["modality"] == "CT"
    assert found.metadata["frame_of_reference_uid"] == uid.generate_uid(entropy_srcs=["series", "frame of reference"])
    assert "sop_instance_uid" not in found.metadata
    assert not [value for value in found.metadata.values() if "hantom" in str(value).lower()]


def only(level: int, **tags: Any) -> Any:
    return lambda at: tags if at == level else {}


def shifted(level: int, by_mm: float, *, axis: int = 2) -> Any:
    """One slice moved along an axis of the volume of `oblique_affine`."""
    lps = RAS_OF_LPS @ oblique_affine()
    step = lps[:3, axis] / np.linalg.norm(lps[:3, axis])
    position = lps[:3, 3] + level * lps[:3, 2] + by_mm * step
    return only(level, ImagePositionPatient=[f"{number:.6f}" for number in position])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"each": shifted(2, 2.5)}, r"no two slices of a volume may be at one place; IM\d+ and IM\d+ are"),
        ({"each": shifted(4, 2.5)}, r"even row; got gaps from 2.5 to 5 mm, the largest between IM0024 and IM0031"),
        ({"each": shifted(2, 0.04)}, r"must lie in an even row; got gaps from 2.46 to 2.54 mm"),
        ({"each": shifted(2, 0.04, axis=0)}, r"must lie in an even row"),
        ({"each": shifted(4, 0.04, axis=1)}, r"got a gantry's tilt: the last slice lies 0.04 mm beside"),
        ({"GantryDetectorTilt": "-12.5"}, r"got a gantry's tilt: GantryDetectorTilt -12.5 degrees in IM0003"),
        ({"each": only(3, FrameOfReferenceUID="1.2.3")}, "must have one frame of reference; got 2 of them"),
        (
            {"each": only(3, PixelSpacing=["1.1", "0.81"])},
            "must have one pixel spacing; got another one in IM0024 than",
        ),
        ({"each": only(1, ImageOrientationPatient=list("100010"))}, "must have one orientation; got another one in"),
        ({"ImageOrientationPatient": list("100100")}, "must be two unit vectors at right angles; it is not"),
        ({"each": only(2, ImagePositionPatient=None)}, "by 3 numbers in ImagePositionPatient; that of IM0017 does not"),
        ({"ImageOrientationPatient": None}, "by 6 numbers in ImageOrientationPatient; that of IM0003 does not"),
        ({"PixelSpacing": ["0", "0"]}, "PixelSpacing of a slice must be two positive numbers; that of IM0003 is not"),
        ({"each": only(0, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])}, "must not be localizers; got 1 of 5 that"),
        ({"photometric": "MONOCHROME1"}, "CT must be MONOCHROME2, for Hounsfield units grow with density; that of"),
        (
            {"each": only(1, SeriesInstanceUID="1.2.3")},
            r"one series; got 2, .*\(4 slices\), 1\.2\.3 \(1 slices\)\. Put",
        ),
        ({"each": only(1, RescaleSlope="0")}, "RescaleSlope must not be 0"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_series_that_is_no_even_stack_of_one_volume_is_refused(
    tmp_path: Path, volume: np.ndarray, change: dict[str, Any], message: str
) -> None:
    folder = make_series(tmp_path / "head_ct", volume, oblique_affine(), **change)
    with pytest.raises(DicomError, match=message) as refused:
        read_series(folder)
    assert str(refused.value).startswith(("head_ct: ", "IM0010: "))


def test_a_stack_that_leans_as_a_tilted_gantry_makes_it_is_refused(tmp_path: Path, volume: np.ndarray) -> None:
    affine = oblique_affine()
    lean = RAS_OF_LPS @ affine

    def each(level: int) -> dict[str, Any]:
        return {"ImagePositionPatient": [f"{n:.6f}" for n in lean[:3, 3] + level * (lean[:3, 2] + 0.3 * lean[:3, 1])]}

    with pytest.raises(DicomError, match=r"^ct: .* a gantry's tilt: the last slice lies 1\.32 mm beside"):
        read_series(make_series(tmp_path / "ct", volume, affine, each=each))


def test_a_tilt_that_was_taken_out_is_read(tmp_path: Path, volume: np.ndarray) -> None:
    tags = {"GantryDetectorTilt": "-12.5", "ImageType": ["DERIVED", "SECONDARY", "REFORMATTED"]}
    assert read_series(make_series(tmp_path / "ct", volume, oblique_affine(), **tags)).pixels.shape == SHAPE


def test_rounding_within_the_tolerance_is_read_and_the_affine_is_that_of_the_whole_row(
    tmp_path: Path, volume: np.ndarray
) -> None:
    affine = oblique_affine()
    found = read_series(make_series(tmp_path / "ct", volume, affine, each=shifted(2, 0.009)))
    np.testing.assert_allclose(found.affine, affine, atol=1e-5)


def test_a_single_slice_slices_of_two_sizes_and_colour_are_refused(tmp_path: Path, volume: np.ndarray) -> None:
    affine = oblique_affine()
    with pytest.raises(DicomError, match=r"^one: a volume must have at least 2 slices; got 1"):
        read_series(make_series(tmp_path / "one", volume[..., :1], affine))
    two = make_series(tmp_path / "two", volume, affine)
    make_series(tmp_path / "other", volume[:-1], affine)
    (tmp_path / "other" / "IM0003").rename(two / "IM0003")
    with pytest.raises(DicomError, match=r"^two: .* one size; got 9 x 7 \(4 slices\), 8 x 7 \(1 slices\)"):
        read_series(two)
    with pytest.raises(DicomError, match=r"^colour: a slice must have grey pixels; that of IM0003 has others"):
        read_series(
            make_series(tmp_path / "colour", volume, affine, SamplesPerPixel=3, PhotometricInterpretation="RGB")
        )


def test_a_folder_without_images_and_one_that_is_not_there_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DicomError, match=r"^empty: a series must hold DICOM images; got none"):
        read_series(tmp_path / "empty")
    with pytest.raises(FileNotFoundError, match="gone must be a file; it is not there"):
        read_series(tmp_path / "gone")


def test_a_multi_frame_object_that_does_not_say_where_its_frames_lie_is_refused(
    tmp_path: Path, volume: np.ndarray
) -> None:
    path = make_dicom(tmp_path / "cine.dcm", volume.transpose(2, 1, 0))
    with pytest.raises(DicomError, match=r"^cine\.dcm: a multi-frame image must say where each frame lies"):
        read_series(path)


def test_several_volumes_in_one_folder_are_refused(tmp_path: Path, volume: np.ndarray) -> None:
    for name in "ab":
        make_enhanced(tmp_path / "two" / name, volume, oblique_affine(), slope=lambda frame: 1.0)
    with pytest.raises(DicomError, match=r"^two: .* one multi-frame object; got several"):
        read_series(tmp_path / "two")


def test_a_volume_of_nothing_but_padding_and_one_beyond_the_limits_are_refused(
    tmp_path: Path, volume: np.ndarray
) -> None:
    folder = make_series(tmp_path / "ct", volume, oblique_affine())
    with pytest.raises(DicomError, match=r"^ct: a volume must take at most 1,259 bytes of memory; got 9 x 7 x 5"):
        read_series(folder, limits=Limits(memory_bytes=9 * 7 * 5 * 4 - 1))
    empty = make_series(tmp_path / "none", np.zeros(SHAPE), oblique_affine(), PixelPaddingValue=0)
    with pytest.raises(DicomError, match=r"^none: a volume must have pixels that are not padding; it has none"):
        read_series(empty)


def test_a_broken_slice_is_named(tmp_path: Path, volume: np.ndarray) -> None:
    folder = make_series(tmp_path / "ct", volume, oblique_affine())
    (folder / "IM0010").write_bytes((folder / "IM0010").read_bytes()[:-20])
    with pytest.raises(DicomError, match=r"^IM0010: "):
        read_series(folder)
