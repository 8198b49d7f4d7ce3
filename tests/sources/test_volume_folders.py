# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Folders of volumes: where ITK and nibabel say that a point lies, there its voxel is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import itk
import nibabel
import numpy as np
import pytest
import series_files
from PIL import Image

from monai_gu2net.__main__ import main
from monai_gu2net.data import Datalist
from monai_gu2net.files import LeftOut
from monai_gu2net.sources import read_layout, recognize_layout

# ITK's bindings crash while they are imported where this warning of theirs is an error (swig/swig#2881).
pytestmark = pytest.mark.filterwarnings(r"ignore:builtin type \w+ has no __module__ attribute:DeprecationWarning")

SHAPE = (16, 20, 18)
VOXELS = np.array([[3.25, 4.0, 5.5], [15.0, 0.0, 17.0], [7.0, 18.75, 2.0]])
WHOLE = np.array([[3, 4, 5], [15, 0, 17], [7, 18, 2]])
NAMES = ("a", "b", "c")
TO_LPS = np.array([-1.0, -1.0, 1.0])


def turned(spacing: Sequence[float], order: Sequence[int], signs: Sequence[int], degrees: float) -> np.ndarray:
    """An affine in RAS whose axes lead along ``order`` with ``signs``, turned about (1, 2, 3) by ``degrees``."""
    axis, angle = np.array([1.0, 2.0, 3.0]) / np.sqrt(14), np.deg2rad(degrees)
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    rotation = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    affine = np.eye(4)
    affine[:3, :3] = rotation @ np.eye(3)[:, order] @ np.diag(np.multiply(spacing, signs))
    affine[:3, 3] = (-31.5, 12.25, 103.0)
    return affine


AFFINES = {
    "straight": turned((0.5, 0.5, 0.5), (0, 1, 2), (1, 1, 1), 0),
    "anisotropic": turned((0.4, 0.6, 2.5), (0, 1, 2), (-1, -1, 1), 0),
    "flipped": turned((0.7, 0.3, 0.5), (2, 0, 1), (-1, 1, -1), 0),
    "oblique": turned((0.4, 0.9, 1.3), (1, 0, 2), (1, -1, 1), 23),
}


def write_volume(path: Path, affine: np.ndarray) -> Path:
    """A volume of 16 x 20 x 18 voxels by nibabel, ITK or pydicom."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE) % 251
    if ".nii" in path.name:
        nibabel.save(nibabel.Nifti1Image(values, affine), path)
    elif path.suffix:
        image = itk.image_from_array(np.ascontiguousarray(values.transpose()))
        spacing = np.linalg.norm(affine[:3, :3], axis=0)
        image.SetSpacing(spacing.tolist())
        image.SetOrigin((affine[:3, 3] * TO_LPS).tolist())
        image.SetDirection(itk.matrix_from_array(np.diag(TO_LPS) @ affine[:3, :3] / spacing))
        itk.imwrite(image, str(path))
    else:
        series_files.make_series(path, values, affine)
    return path


def lps_of_itk(path: Path) -> np.ndarray:
    """(3, 3) where ITK, whose physical space is LPS, says that the voxels WHOLE lie."""
    image = itk.imread(str(path))
    return np.array([image.TransformIndexToPhysicalPoint(voxel.tolist()) for voxel in WHOLE])


def wide(name: str, points: np.ndarray, ends: Sequence[str]) -> str:
    """A table of one image."""
    header = [f"{landmark}_{end}" for landmark in NAMES for end in ends]
    return f"image,{','.join(header)}\n{name},{','.join(f'{value:.6f}' for value in points.ravel())}\n"


def markups(points: np.ndarray, **changes: object) -> str:
    control = [
        {"label": label, "position": point, "positionStatus": "defined", "orientation": [0, 1, 0, 1, 0, 0, 0, 0, 1]}
        for label, point in zip(NAMES, points.tolist(), strict=True)
    ]
    return json.dumps({"markups": [{"type": "Fiducial", "coordinateUnits": "mm", "controlPoints": control} | changes]})


def fcsv(points: np.ndarray, system: str) -> str:
    lines = [
        f"vtkMRMLMarkupsFiducialNode_{n},{x},{y},{z},0,0,0,1,1,1,0,{label},,"
        for n, (label, (x, y, z)) in enumerate(zip(NAMES, points.tolist(), strict=True))
    ]
    header = ["# Markups fiducial file version = 4.10", f"# CoordinateSystem = {system}"]
    return "\n".join([*header, "# columns = id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID", *lines])


def prepared(folder: Path, **options: object) -> Datalist:
    return read_layout(folder, domain="d", test=0, validation=0, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("ending", [".nii.gz", ".nii", ".nrrd", ".mha", ".mhd"])
@pytest.mark.parametrize("affine", AFFINES.values(), ids=AFFINES)
def test_millimetres_of_a_table_and_of_a_point_list_are_voxels_where_itk_says(
    tmp_path: Path, affine: np.ndarray, ending: str
) -> None:
    lps = lps_of_itk(write_volume(tmp_path / "table" / f"v{ending}", affine))
    (tmp_path / "table" / "landmarks.csv").write_text(wide(f"v{ending}", lps, ("Lmm", "Pmm", "Smm")))
    write_volume(tmp_path / "list" / f"v{ending}", affine)
    (tmp_path / "list" / "v.mrk.json").write_text(markups(lps * TO_LPS, coordinateSystem="RAS"))
    for layout in ("table", "list"):
        data = prepared(tmp_path / layout)
        assert data.left_out == ()
        np.testing.assert_allclose(data.training[0]["landmarks"], WHOLE, rtol=0, atol=1e-4)
        np.testing.assert_allclose(data.domains["d"].target_spacing, sorted_spacing(affine), rtol=1e-4)


def sorted_spacing(affine: np.ndarray) -> np.ndarray:
    """mm per voxel along the axes that lead most to the right, the front and the head, by nibabel."""
    leads = nibabel.orientations.io_orientation(affine)[:, 0].astype(int)
    return np.linalg.norm(affine[:3, :3], axis=0)[np.argsort(leads)]


@pytest.mark.parametrize("affine", AFFINES.values(), ids=AFFINES)
def test_a_dicom_series_is_a_volume_that_its_folder_names(tmp_path: Path, affine: np.ndarray) -> None:
    if np.linalg.det(affine[:3, :3] * TO_LPS[:, None]) < 0:
        affine = affine @ np.diag([1.0, 1.0, -1.0, 1.0])  # slices count along their normal
    lps = nibabel.affines.apply_affine(affine, VOXELS) * TO_LPS
    for layout in ("table", "list"):
        write_volume(tmp_path / layout / "images" / "P1", affine)
    (tmp_path / "table" / "landmarks.csv").write_text(wide("P1", lps, ("L_mm", "P_mm", "S_mm")))
    (tmp_path / "list" / "images" / "P1.fcsv").write_text(fcsv(lps, "1"))
    for layout in ("table", "list"):
        data = prepared(tmp_path / layout)
        assert data.left_out == ()
        [case] = data.training
        assert (Path(case["image"]).name, case["case"], case["patient"]) == ("P1", "P1", "patient_0001")
        np.testing.assert_allclose(case["landmarks"], VOXELS, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("text", "system"),
    [
        (lambda p: markups(p, coordinateSystem="LPS"), "LPS"),
        (lambda p: markups(p, coordinateSystem="1"), "LPS"),
        (markups, "LPS"),
        (lambda p: markups(p, coordinateSystem="RAS"), "RAS"),
        (lambda p: markups(p, coordinateSystem="0"), "RAS"),
        (lambda p: fcsv(p, "LPS"), "LPS"),
        (lambda p: fcsv(p, "1"), "LPS"),
        (lambda p: fcsv(p, "RAS"), "RAS"),
        (lambda p: fcsv(p, "0"), "RAS"),
        (lambda p: "# Fiducial List file\n# version = 2\n# columns = label,x,y,z,sel,vis\n"
         + "".join(f"{n},{x},{y},{z},1,1\n" for n, (x, y, z) in zip(NAMES, p.tolist(), strict=True)), "RAS"),
    ],
)  # fmt: skip
def test_the_frame_that_a_point_list_states_counts(tmp_path: Path, text, system: str) -> None:
    affine = AFFINES["oblique"]
    write_volume(tmp_path / "v.nii.gz", affine)
    world = nibabel.affines.apply_affine(affine, VOXELS)
    content = text(world if system == "RAS" else world * TO_LPS)
    (tmp_path / f"v{'.fcsv' if content.startswith('#') else '.mrk.json'}").write_text(content)
    assert recognize_layout(tmp_path) == "markups"
    np.testing.assert_allclose(prepared(tmp_path).training[0]["landmarks"], VOXELS, rtol=0, atol=1e-4)


def test_of_two_lists_about_a_volume_the_newer_kind_counts_and_the_other_is_named(tmp_path: Path) -> None:
    write_volume(tmp_path / "v.nii.gz", AFFINES["straight"])
    world = nibabel.affines.apply_affine(AFFINES["straight"], VOXELS)
    (tmp_path / "v.mrk.json").write_text(markups(world, coordinateSystem="RAS"))
    (tmp_path / "v.fcsv").write_text(fcsv(world + 1, "RAS"))
    data = prepared(tmp_path)
    np.testing.assert_allclose(data.training[0]["landmarks"], VOXELS, rtol=0, atol=1e-4)
    assert data.left_out == (LeftOut("markups file", "v.fcsv", "v.mrk.json is there, too"),)


class TestBothFrames:
    """A table with columns of voxels and of millimetres."""

    def make(self, folder: Path, world: np.ndarray) -> Path:
        write_volume(folder / "v.nii.gz", AFFINES["oblique"])
        one, other = (wide("v.nii.gz", *columns).splitlines() for columns in ((VOXELS, "ijk"), (world, self.ends)))
        joined = [f"{first},{second.partition(',')[2]}" for first, second in zip(one, other, strict=True)]
        (folder / "landmarks.csv").write_text("\n".join(joined) + "\n")
        return folder

    ends = ("Rmm", "Amm", "Smm")
    world = nibabel.affines.apply_affine(AFFINES["oblique"], VOXELS)

    def test_the_voxels_are_taken_and_that_is_said(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        folder = self.make(tmp_path / "bones", self.world + 0.02)  # a twentieth of the shortest voxel
        assert main(["prepare", str(folder), "-o", str(tmp_path / "out.json"), "--test", "0", "--validation", "0"]) == 0
        said = capsys.readouterr().out
        assert "bones: points read from NAME_i, NAME_j, NAME_k (voxels of the files), which are checked against" in said
        assert "NAME_Rmm, NAME_Amm, NAME_Smm (RAS mm)" in said
        np.testing.assert_allclose(Datalist.load(tmp_path / "out.json").training[0]["landmarks"], VOXELS)

    @pytest.mark.parametrize("change", ["elsewhere", "other frame"])
    def test_where_they_do_not_agree_the_case_and_the_landmark_are_named(self, tmp_path: Path, change: str) -> None:
        wrong = self.world.copy()
        wrong[1] += 0.2 if change == "elsewhere" else 0
        folder = self.make(tmp_path, wrong * TO_LPS if change == "other frame" else wrong)
        with pytest.raises(ValueError, match=r"v\.nii\.gz: the columns in voxels and in RAS mm must agree to 0\.1 v"):
            prepared(folder)

    def test_an_absent_one_must_be_absent_in_both(self, tmp_path: Path) -> None:
        folder = self.make(tmp_path, self.world)
        path = folder / "landmarks.csv"
        path.write_text(path.read_text().replace("7.000000,18.750000,2.000000", ",,"))
        with pytest.raises(ValueError, match="got one of them absent for 'c', and 1 of 3 landmarks that do not"):
            prepared(folder)

    @pytest.mark.parametrize("points", ["voxel", "RAS"])
    def test_one_that_is_asked_for_is_taken_whatever_the_other_says(self, tmp_path: Path, points: str) -> None:
        folder = self.make(tmp_path, self.world + AFFINES["oblique"][:3, 0])  # one voxel further
        expected = VOXELS + np.array([1.0, 0, 0]) if points == "RAS" else VOXELS
        inside = expected[[0, 2]]
        data = prepared(folder, points=points, allow_outside=1)
        np.testing.assert_allclose([data.training[0]["landmarks"][n] for n in (0, 2)], inside, rtol=0, atol=1e-4)


class TestUnnamedColumns:
    """Columns x, y and z, which may be anything."""

    def make(self, folder: Path, points: np.ndarray, *, long: bool = False) -> Path:
        write_volume(folder / "v.nrrd", AFFINES["flipped"])
        lines = [f"v.nrrd,{name},{x},{y},{z}\n" for name, (x, y, z) in zip(NAMES, points.tolist(), strict=True)]
        text = "image,landmark,x,y,z\n" + "".join(lines) if long else wide("v.nrrd", points, "xyz")
        (folder / "landmarks.csv").write_text(text)
        return folder

    @pytest.mark.parametrize("long", [False, True])
    def test_they_are_not_guessed(self, tmp_path: Path, long: bool) -> None:
        with pytest.raises(ValueError, match=r"of a volume must say what they hold.* Say it with --points voxel"):
            prepared(self.make(tmp_path, VOXELS, long=long))

    @pytest.mark.parametrize("long", [False, True])
    @pytest.mark.parametrize("points", ["voxel", "LPS", "RAS"])
    def test_an_option_says_what_they_hold(self, tmp_path: Path, points: str, long: bool) -> None:
        world = nibabel.affines.apply_affine(AFFINES["flipped"], VOXELS)
        given = {"voxel": VOXELS, "LPS": world * TO_LPS, "RAS": world}[points]
        data = prepared(self.make(tmp_path, given, long=long), points=points)
        np.testing.assert_allclose(data.training[0]["landmarks"], VOXELS, rtol=0, atol=1e-4)

    @pytest.mark.parametrize("frame", ["LPS", "RAS"])
    def test_a_column_frame_says_what_they_hold(self, tmp_path: Path, frame: str) -> None:
        world = nibabel.affines.apply_affine(AFFINES["flipped"], VOXELS) * (TO_LPS if frame == "LPS" else 1)
        path = self.make(tmp_path, world, long=True) / "landmarks.csv"
        first, *lines = path.read_text().splitlines()
        path.write_text("\n".join([f"{first},frame", *(f"{line},{frame}" for line in lines)]) + "\n")
        np.testing.assert_allclose(prepared(tmp_path).training[0]["landmarks"], VOXELS, rtol=0, atol=1e-4)

    def test_the_answer_does_not_say_voxels_where_the_table_says_millimetres(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        world = nibabel.affines.apply_affine(AFFINES["flipped"], VOXELS)
        path = self.make(tmp_path, world, long=True) / "landmarks.csv"
        first, *lines = path.read_text().splitlines()
        path.write_text("\n".join([f"{first},frame", *(f"{line},RAS" for line in lines)]) + "\n")
        assert main(["prepare", str(tmp_path), "-o", str(tmp_path / "d.json"), "--any-pose", "no"]) == 0
        said = capsys.readouterr().out
        assert "x, y, z (in the frame that the column frame names)" in said
        assert "voxels of the files" not in said

    def test_an_option_that_columns_contradict_is_refused(self, tmp_path: Path) -> None:
        write_volume(tmp_path / "v.nrrd", AFFINES["flipped"])
        (tmp_path / "landmarks.csv").write_text(wide("v.nrrd", VOXELS, ("Lmm", "Pmm", "Smm")))
        with pytest.raises(ValueError, match="points='RAS' must be the columns NAME_Rmm, NAME_Amm, NAME_Smm or"):
            prepared(tmp_path, points="RAS")


class TestScale:
    """Volumes that do not say how long their voxels are."""

    def make(self, folder: Path, plain: int, scaled: int = 0, *, ends: Sequence[str] = "ijk") -> Path:
        names = [f"{n}.nii" for n in range(plain + scaled)]
        for n, name in enumerate(names):
            write_volume(folder / name, np.eye(4) if n < plain else AFFINES["straight"])
        lines = [wide(name, VOXELS, ends).splitlines() for name in names]
        (folder / "landmarks.csv").write_text("\n".join([lines[0][0], *(line[1] for line in lines)]) + "\n")
        return folder

    def test_where_none_does_each_is_resized_and_nothing_is_in_mm(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        folder = self.make(tmp_path / "d", 4)
        assert main(["prepare", str(folder), "-o", str(tmp_path / "out.json")]) == 0
        said = capsys.readouterr().out
        assert "resized to 16 x 32 x 32 voxels, for their scale is not known" in said
        assert "unit mm" not in said
        domain = Datalist.load(tmp_path / "out.json").domains["d"]
        assert (domain.size, domain.target_spacing, domain.unit) == ((16, 32, 32), None, "px")

    def test_where_some_do_they_are_named(self, tmp_path: Path) -> None:
        with pytest.raises(
            ValueError, match=r"all state their scale, or none of them; got 1 of 3 that do not: \['0'\]"
        ):
            prepared(self.make(tmp_path, 1, 2))

    def test_a_spacing_that_is_given_is_theirs(self, tmp_path: Path) -> None:
        data = prepared(self.make(tmp_path, 2, 1), spacing=(0.5, 0.25, 2.0))
        domain = data.domains["d"]
        assert (domain.spacing, domain.target_spacing) == ((0.5, 0.25, 2.0), (0.5, 0.25, 2.0))

    def test_a_target_spacing_needs_one(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="must all state their scale; got 2 of 2 that do not"):
            prepared(self.make(tmp_path, 2), target_spacing=(1.0, 1.0, 1.0))

    def test_landmarks_in_mm_need_one(self, tmp_path: Path) -> None:
        folder = self.make(tmp_path, 2, ends=("Rmm", "Amm", "Smm"))
        with pytest.raises(ValueError, match=r"A volume must state its scale where its landmarks are in mm \(RAS\)"):
            prepared(folder)
        data = prepared(folder, spacing=(2.0, 2.0, 2.0))  # of directions R, A, S from the origin
        np.testing.assert_allclose(data.training[0]["landmarks"], VOXELS / 2, rtol=0, atol=1e-4)

    def test_points_that_slicer_showed_lie_at_one_millimetre(self, tmp_path: Path) -> None:
        write_volume(tmp_path / "v.nii.gz", np.diag([-1.0, -1.0, 1.0, 1.0]))
        (tmp_path / "v.mrk.json").write_text(markups(VOXELS, coordinateSystem="LPS"))
        np.testing.assert_allclose(prepared(tmp_path).training[0]["landmarks"], VOXELS, rtol=0, atol=1e-6)


def test_pictures_among_volumes_are_two_datasets(tmp_path: Path) -> None:
    write_volume(tmp_path / "v.nrrd", AFFINES["flipped"])
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(tmp_path / "flat.png")
    for name in ("flat", "v"):
        (tmp_path / f"{name}.mrk.json").write_text(markups(np.tile([2.0, 3.0, 0.0], (len(NAMES), 1))))
    expected = "its images must be pictures or volumes; got 1 of those, such as 'flat', and 1 of these, such as 'v'"
    with pytest.raises(ValueError, match=expected):
        prepared(tmp_path)


def test_a_landmark_outside_of_its_volume_is_absent_and_named(tmp_path: Path) -> None:
    write_volume(tmp_path / "v.nii.gz", AFFINES["oblique"])
    world = nibabel.affines.apply_affine(AFFINES["oblique"], VOXELS + np.array([[0, 0, 0], [0.6, 0, 0], [0, 0, 0]]))
    (tmp_path / "landmarks.csv").write_text(wide("v.nii.gz", world, ("Rmm", "Amm", "Smm")))
    [case] = prepared(tmp_path, allow_outside=0.4).training  # of voxels 0 to 15
    assert case["outside"] == ["b"]
    assert case["landmarks"][1] is None


def test_patients_and_splits_of_a_table_of_volumes_are_taken_over(tmp_path: Path) -> None:
    lines = [wide("v0.nii", VOXELS, "ijk").splitlines()[0] + ",patient,split"]
    for n, split in enumerate(["training", "training", "validation", "test"]):
        write_volume(tmp_path / f"v{n}.nii", AFFINES["straight"])
        lines.append(wide(f"v{n}.nii", VOXELS, "ijk").splitlines()[1] + f",p{n // 2 + (n > 2)},{split}")
    (tmp_path / "landmarks.csv").write_text("\n".join(lines) + "\n")
    data = read_layout(tmp_path, domain="d")
    assert [case["patient"] for case in data.cases("all")] == ["p0", "p0", "p1", "p2"]
    assert [len(data.cases(split)) for split in ("training", "validation", "test")] == [2, 1, 1]


def test_a_volume_with_points_of_two_coordinates_is_left_out_with_the_reason(tmp_path: Path) -> None:
    write_volume(tmp_path / "v.nii.gz", AFFINES["straight"])
    (tmp_path / "landmarks.csv").write_text("image,a_x,a_y\nv.nii.gz,1,2\n")
    with pytest.raises(ValueError, match="a volume must have landmarks of three coordinates; got two"):
        prepared(tmp_path)


def test_a_point_list_of_a_single_slice_is_left_out_with_the_reason(tmp_path: Path) -> None:
    world = nibabel.affines.apply_affine(AFFINES["oblique"], VOXELS)
    write_volume(tmp_path / "v.nii.gz", AFFINES["oblique"])
    nibabel.save(nibabel.Nifti1Image(np.zeros((16, 20, 1), np.int16), AFFINES["oblique"]), tmp_path / "flat.nii.gz")
    for name in ("v", "flat"):
        (tmp_path / f"{name}.mrk.json").write_text(markups(world, coordinateSystem="RAS"))
    data = prepared(tmp_path)
    assert [case["case"] for case in data.training] == ["v"]
    reason = "one slice, whose place in Slicer is not known; list its points in a table, in pixels"
    assert data.left_out == (LeftOut("image", "flat.nii.gz", reason),)


def test_a_volume_that_cannot_be_read_costs_itself_alone(tmp_path: Path) -> None:
    world = nibabel.affines.apply_affine(AFFINES["straight"], VOXELS)
    for name in ("good", "torn", "bare"):
        write_volume(tmp_path / f"{name}.nii.gz", AFFINES["straight"])
        (tmp_path / f"{name}.mrk.json").write_text(markups(world, coordinateSystem="RAS"))
    whole = (tmp_path / "torn.nii.gz").read_bytes()
    (tmp_path / "torn.nii.gz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "bare.mrk.json").unlink()
    data = prepared(tmp_path)
    assert [case["case"] for case in data.training] == ["good"]
    assert [(item.what, item.name) for item in data.left_out] == [("image", "bare.nii.gz"), ("image", "torn.nii.gz")]


def test_a_control_point_whose_position_is_no_number_is_said_and_the_others_are_kept(tmp_path: Path) -> None:
    world = nibabel.affines.apply_affine(AFFINES["straight"], VOXELS)
    world[1] = np.nan
    write_volume(tmp_path / "v.nii.gz", AFFINES["straight"])
    (tmp_path / "v.mrk.json").write_text(markups(world, coordinateSystem="RAS"))
    write_volume(tmp_path / "w.nii.gz", AFFINES["straight"])
    whole = nibabel.affines.apply_affine(AFFINES["straight"], VOXELS)
    (tmp_path / "w.mrk.json").write_text(markups(whole, coordinateSystem="RAS"))
    data = prepared(tmp_path)
    [case] = [case for case in data.cases("all") if case["case"] == "v"]
    (domain,) = data.domains.values()
    absent = [name for name, point in zip(domain.landmarks, case["landmarks"], strict=True) if point is None]
    assert absent == ["b"]
    assert [(item.what, item.name) for item in data.left_out] == [("control point", "v.mrk.json control point 1")]


@pytest.mark.parametrize(("channels", "left_out"), [((1, 1, 3), "c"), ((2, 3, 3), "a"), ((1, 3), "b"), ((3,), None)])
def test_volumes_of_other_channels_than_most_are_left_out_and_the_domain_has_theirs(
    tmp_path: Path, channels: Sequence[int], left_out: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    """A volume of several points of time among others does not stop them, on the command line neither."""
    folder = tmp_path / "d"
    folder.mkdir()
    lines = ["image,p_i,p_j,p_k,q_i,q_j,q_k,r_i,r_j,r_k"]
    for name, count in zip("abc", channels, strict=False):
        values = np.random.default_rng(count).normal(size=(*SHAPE, count)).astype(np.float32)
        nibabel.save(nibabel.Nifti1Image(values, AFFINES["straight"]), folder / f"{name}.nii.gz")
        lines.append(f"{name}.nii.gz,1,2,3,9,4,5,3,8,12")
    (folder / "landmarks.csv").write_text("\n".join(lines))
    output = tmp_path / "out.json"
    assert main(["prepare", str(folder), "-o", str(output), "--test", "0", "--validation", "0"]) == 0
    data = Datalist.load(output)
    assert [case["case"] for case in data.training] == sorted(set("abc"[: len(channels)]) - {left_out})
    usual = max(set(channels), key=lambda count: (channels.count(count), -count))
    assert data.domains["d"].in_channels == usual
    assert [item.name for item in data.left_out] == ([f"{left_out}.nii.gz"] if left_out else [])
    said = f"channel(s), or points of time, and most volumes {usual}: {left_out}.nii.gz"
    assert (said in capsys.readouterr().err) == (left_out is not None)


@pytest.mark.parametrize(
    "options", [{"points": "voxel"}, {"orientation": "LPS"}, {"target_spacing": (1.0, 1.0, 1.0)}], ids=str
)
def test_options_of_volumes_are_refused_for_pictures(tmp_path: Path, options: dict[str, object]) -> None:
    Image.new("L", (20, 30)).save(tmp_path / "v.png")
    (tmp_path / "landmarks.csv").write_text("image,a_x,a_y\nv.png,1,2\n")
    with pytest.raises(ValueError, match="orientation, target_spacing and points must be of volumes"):
        prepared(tmp_path, **options)


def test_sizes_and_spacings_of_the_command_line_hold(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = TestScale().make(tmp_path / "d", 0, 4)
    options = ["--size", "32,16,48", "--target-spacing", "0.5,0.25,1", "--orientation", "LPS"]
    assert main(["prepare", str(folder), "-o", str(tmp_path / "out.json"), *options]) == 0
    domain = Datalist.load(tmp_path / "out.json").domains["d"]
    assert (domain.size, domain.target_spacing, domain.orientation) == ((32, 16, 48), (0.5, 0.25, 1.0), "LPS")
    assert "turned to LPS, at 0.5 x 0.25 x 1 mm per voxel (as given), 32 x 16 x 48 voxels" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": (32, 16)}, r"size must be 3 whole numbers for the images of .*; got \(32, 16\)"),
        (
            {"target_spacing": (1.0, 1.0)},
            r"target_spacing must be three positive numbers, .*; got \(1.0, 1.0\)",
        ),
        ({"target_spacing": (1.0, 0.0, 1.0)}, "target_spacing must be three positive numbers"),
        ({"orientation": "RAA"}, "orientation must be three letters"),
        ({"spacing": (1.0, 1.0)}, "The spacing of a volume must be three numbers"),
    ],
)
def test_options_that_do_not_fit_volumes_are_refused(tmp_path: Path, options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        prepared(TestScale().make(tmp_path, 0, 1), **options)


def test_a_share_that_comes_to_nobody_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = ["image,patient,a_i,a_j,a_k"]
    for number in range(4):
        write_volume(tmp_path / "v" / f"{number}.nrrd", AFFINES["flipped"])
        lines.append(f"{number}.nrrd,{number % 2},1,2,3")
    (tmp_path / "v" / "landmarks.csv").write_text("\n".join(lines) + "\n")
    options = ["--test", "0.2", "--validation", "0.2", "-o", str(tmp_path / "d.json")]
    assert main(["prepare", str(tmp_path / "v"), *options]) == 0
    said = capsys.readouterr().out
    assert "2 training, 0 validation, 2 test" in said
    assert "no validation case, for a share of 0.2 of so few patients is none: give a number, --validation 1" in said
