# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest

from monai_gu2net.data import Domain
from monai_gu2net.landmarks import LandmarkSet, write_landmarks
from monai_gu2net.transforms import LandmarksToPointsd, LoadLandmarksd, LoadRadiographd, PhysicalSpaced

DOMAINS = {"knee": Domain("knee", ("a", "b"), (32, 32), spacing=(0.5, 0.25))}


def test_pixel_lines_of_a_text_file_are_read_in_the_domains_order(tmp_path: Path) -> None:
    path = tmp_path / "1.txt"
    path.write_text("3.5,4\n7,8.25\n")
    sample = LoadLandmarksd(domains=DOMAINS)({"landmarks": str(path), "domain": "knee"})
    assert sample["landmarks"] == [[3.5, 4.0], [7.0, 8.25]]


def test_markups_in_mm_become_pixels_and_a_lacking_one_is_absent(tmp_path: Path) -> None:
    path = tmp_path / "1.mrk.json"
    write_landmarks(path, LandmarkSet(("b",), np.array([[5.0, 5.0]]), "mm"))
    sample = LoadLandmarksd(domains=DOMAINS)({"landmarks": str(path), "domain": "knee"})
    assert sample["landmarks"] == [None, [10.0, 20.0]]


def test_an_entry_that_is_not_taken_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "1.csv"
    path.write_text("landmark,x,y\na,1,2\nb,3,four\n")
    sample = LoadLandmarksd(domains=DOMAINS)({"landmarks": str(path), "domain": "knee"})
    assert sample["landmarks"] == [[1.0, 2.0], None]
    assert "1 line(s) left out, a coordinate of 'b' must be a finite number: 1.csv line 3" in caplog.text


def test_a_landmark_that_the_domain_lacks_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "1.mrk.json"
    write_landmarks(path, LandmarkSet(("c",), np.array([[5.0, 5.0]]), "mm"))
    with pytest.raises(ValueError, match=r"1\.mrk\.json"):
        LoadLandmarksd(domains=DOMAINS)({"landmarks": str(path), "domain": "knee"})


@pytest.mark.parametrize(("ending", "expected"), [("json", [10, 10]), ("mrk.json", [4, 4])])
def test_millimetres_become_pixels_by_the_spacing_of_the_file_and_those_of_slicer_by_slicers(
    tmp_path: Path, make_dicom: Callable[..., Path], ending: str, expected: list[float]
) -> None:
    tags = {"PixelSpacing": [0.1, 0.2], "ImagerPixelSpacing": [0.25, 0.5]}  # Slicer reads the second alone
    image = make_dicom(tmp_path / "x.dcm", np.zeros((20, 30), np.uint16), **tags)
    write_landmarks(tmp_path / f"x.{ending}", LandmarkSet(("a",), np.array([[2.0, 1.0]]), "mm"))
    sample = {"image": image, "landmarks": tmp_path / f"x.{ending}", "domain": "d"}
    domains = {"d": Domain("d", ("a",), (32, 32))}
    loaded = LoadLandmarksd(domains=domains)(LoadRadiographd()(sample))
    np.testing.assert_allclose(loaded["landmarks"], [expected])


OBLIQUE = np.array([[0.3, -0.1, 0.0, 5.0], [0.2, 0.4, 0.1, -7.0], [0.0, 0.3, 0.9, 2.0], [0, 0, 0, 1]])
VOLUMES = {"bone": Domain("bone", ("a", "b"), (8, 9, 10))}


@pytest.fixture
def volume(tmp_path: Path) -> dict[str, object]:
    nibabel.save(nibabel.Nifti1Image(np.zeros((8, 9, 10), np.float32), OBLIQUE), tmp_path / "x.nii.gz")
    return {"image": str(tmp_path / "x.nii.gz"), "domain": "bone", "case": "x"}


@pytest.mark.parametrize("signs", [("LPS", (-1, -1, 1)), ("RAS", (1, 1, 1))], ids=["LPS", "RAS"])
def test_a_point_list_of_slicer_lies_on_a_volume_by_its_affine(
    tmp_path: Path, volume: dict[str, object], signs: tuple[str, tuple[int, ...]]
) -> None:
    index = np.array([2.0, 5.0, 7.5])
    position = nibabel.affines.apply_affine(OBLIQUE, index) * signs[1]
    point = {"label": "a", "position": position.tolist(), "positionStatus": "defined"}
    markup = {"type": "Fiducial", "coordinateSystem": signs[0], "controlPoints": [point]}
    (tmp_path / "x.mrk.json").write_text(json.dumps({"markups": [markup]}))
    sample = LoadLandmarksd(domains=VOLUMES)(LoadRadiographd()({**volume, "landmarks": tmp_path / "x.mrk.json"}))
    np.testing.assert_allclose(sample["landmarks"][0], index, atol=1e-5)
    assert sample["landmarks"][1] is None
    world = PhysicalSpaced(domains=VOLUMES)(sample)
    np.testing.assert_allclose(world["landmarks"][0], nibabel.affines.apply_affine(OBLIQUE, index), atol=1e-5)
    np.testing.assert_allclose(LandmarksToPointsd()(world)["points"][0], index, atol=1e-4)


def test_landmarks_in_mm_of_another_file_lie_in_the_world_of_the_volume(
    tmp_path: Path, volume: dict[str, object]
) -> None:
    world = nibabel.affines.apply_affine(OBLIQUE, [[2.0, 5.0, 7.5], [1.0, 1.0, 1.0]])
    write_landmarks(tmp_path / "x.json", LandmarkSet(("a", "b"), world, "RAS"))
    sample = LoadLandmarksd(domains=VOLUMES)(LoadRadiographd()({**volume, "landmarks": tmp_path / "x.json"}))
    np.testing.assert_allclose(sample["landmarks"], [[2.0, 5.0, 7.5], [1.0, 1.0, 1.0]], atol=1e-5)


def test_landmarks_in_mm_of_a_volume_that_is_not_loaded_are_refused(tmp_path: Path, volume: dict[str, object]) -> None:
    write_landmarks(tmp_path / "x.mrk.json", LandmarkSet(("a",), np.ones((1, 3)), "LPS"))
    with pytest.raises(ValueError, match=r"'image' must be loaded before landmarks in mm.*got str with 'x\.mrk\.json'"):
        LoadLandmarksd(domains=VOLUMES)({**volume, "landmarks": tmp_path / "x.mrk.json"})


INDEX = np.array([[2.0, 5.0, 7.5], [1.0, 1.0, 1.0]])


def of_world(folder: Path, kind: str, ras: np.ndarray) -> Path:
    """A landmark file of a kind that states LPS or RAS, of the points a and b."""
    lps = ras * [-1, -1, 1]
    frame, ending = kind.split()
    points = lps if frame == "LPS" else ras
    path = folder / f"x.{ending}"
    if ending == "fcsv":
        rows = [f"1,{x},{y},{z},0,0,0,1,1,1,0,{n},," for n, (x, y, z) in zip("ab", points.tolist(), strict=True)]
        path.write_text("\n".join([f"# CoordinateSystem = {frame}", *rows]) + "\n")
    elif ending == "columns.csv":
        head = ",".join(f"{n}_{axis}mm" for n in "ab" for axis in frame)
        path.write_text(f"image,{head}\nx,{','.join(map(repr, points.ravel().tolist()))}\n")
    else:
        write_landmarks(path, LandmarkSet(("a", "b"), points, frame))  # type: ignore[arg-type]
    return path


@pytest.mark.parametrize(
    "kind", [f"{frame} {ending}" for frame in ("LPS", "RAS") for ending in ("json", "csv", "columns.csv", "fcsv")]
)
def test_the_frame_that_a_file_states_is_honoured_in_every_format(
    tmp_path: Path, volume: dict[str, object], kind: str
) -> None:
    path = of_world(tmp_path, kind, nibabel.affines.apply_affine(OBLIQUE, INDEX))
    sample = LoadLandmarksd(domains=VOLUMES)(LoadRadiographd()({**volume, "landmarks": path}))
    np.testing.assert_allclose(sample["landmarks"], INDEX, atol=1e-5)


@pytest.mark.parametrize(("kind", "given"), [("LPS json", True), ("RAS csv", True), ("LPS fcsv", False)])
def test_a_spacing_that_is_stated_changes_the_lengths_of_the_axes_and_neither_directions_nor_origin(
    tmp_path: Path, volume: dict[str, object], kind: str, given: bool
) -> None:
    """A list of Slicer lies where Slicer shows the file, whose own spacing alone it knows."""
    stated = OBLIQUE.copy()
    stated[:3, :3] *= np.array([0.5, 1.0, 2.0]) / np.linalg.norm(OBLIQUE[:3, :3], axis=0)
    world = nibabel.affines.apply_affine(stated if given else OBLIQUE, INDEX)
    loaded = LoadRadiographd()({**volume, "landmarks": of_world(tmp_path, kind, world), "spacing": [0.5, 1.0, 2.0]})
    sample = LoadLandmarksd(domains=VOLUMES)(loaded)
    np.testing.assert_allclose(sample["landmarks"], INDEX, atol=1e-5)


def test_a_table_that_does_not_say_what_it_holds_needs_to_be_told(tmp_path: Path, volume: dict[str, object]) -> None:
    (tmp_path / "x.csv").write_text("landmark,x,y,z\na,2,5,7.5\nb,1,1,1\n")
    loaded = LoadRadiographd()({**volume, "landmarks": tmp_path / "x.csv"})
    with pytest.raises(ValueError, match="x, y, z of a volume must say what they hold"):
        LoadLandmarksd(domains=VOLUMES)(loaded)
    assert LoadLandmarksd(domains=VOLUMES, points="voxel")(loaded)["landmarks"] == INDEX.tolist()


@pytest.mark.parametrize(("name", "text"), [("x.txt", "1,2\n3,4\n"), ("x.csv", "landmark,x,y\na,1,2\nb,3,4\n")])
def test_a_format_of_two_coordinates_is_refused_for_a_volume(
    tmp_path: Path, volume: dict[str, object], name: str, text: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=rf"{name} must have points of 3 coordinates, as domain 'bone' has; got 2"):
        LoadLandmarksd(domains=VOLUMES)(LoadRadiographd()({**volume, "landmarks": tmp_path / name}))
