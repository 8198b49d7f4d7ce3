# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Volumes in the app: where labels lie, which images are served, training and scores. Oracles: nibabel and ITK."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import urllib.error
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import foreign_reports
import nibabel
import numpy as np
import pytest
import series_files
from monailabel.interfaces.exception import MONAILabelException
from PIL import Image
from posed_volumes import POSES, lps_of, write_volume

from monai_gu2net.data import Domain
from monai_gu2net.label_app import LabelRefusedError, check_label, label_frame
from monai_gu2net.label_app.datastore import LandmarkDatastore
from monai_gu2net.label_app.infer import LandmarkInferTask
from monai_gu2net.label_app.label_frame import read_image
from monai_gu2net.label_app.labels import labelled_data
from monai_gu2net.label_app.pairs import datalist_of_pairs, read_discs
from monai_gu2net.label_app.scoring import UNCERTAINTY, CorrectionScore, UncertaintyScore
from monai_gu2net.label_app.server import _settings
from monai_gu2net.label_app.train import LandmarkTrainTask
from monai_gu2net.label_app.training_options import TrainingOptions
from monai_gu2net.label_app.weights import AppWeights
from monai_gu2net.label_app.window import default_window
from monai_gu2net.networks import GU2Net, ModelCard, load_model, save_model
from monai_gu2net.prediction import PredictionOptions

pytestmark = [
    pytest.mark.integration,
    # MONAI's EarlyStopHandler passes Ignite's EarlyStopping options of old names
    pytest.mark.filterwarnings("ignore:'(min_delta|cumulative_delta)' is deprecated:DeprecationWarning"),
    # MONAI warns of every config that it runs
    pytest.mark.filterwarnings("ignore:parsing config_file:UserWarning"),
    # of ITK's modules, which would crash if their import were ended by it
    pytest.mark.filterwarnings("ignore:builtin type [sS]wig:DeprecationWarning"),
]

NAMES = ("tip", "wrist", "thumb")
SIZE = (18, 20, 16)
PLACES = np.array([[4.0, 5.5, 6.0], [12.25, 9.0, 3.0], [7.0, 15.0, 11.5]])
EXTENSIONS = ["*.png", "*.dcm", "*.nii.gz", "*.nrrd", "*.mha", "*.mrk.json"]
BUNDLE = Path(__file__).parents[2] / "bundles" / "gu2net_volume" / "configs" / "train.json"


def write_points(path: Path, places: Mapping[str, Any], *, system: str = "LPS", unit: str = "mm") -> Path:
    """A point list as Slicer writes it, made without the package."""
    control = [{"id": name, "label": name, "position": list(place)} for name, place in places.items()]
    markup = {"type": "Fiducial", "coordinateSystem": system, "coordinateUnits": unit, "controlPoints": control}
    path.write_text(json.dumps({"markups": [markup]}))
    return path


class App:
    """What the app has of a folder of volumes, with an untrained network."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.studies = folder, folder / "studies"
        self.studies.mkdir()
        grid = np.stack(np.meshgrid(*map(np.arange, SIZE), indexing="ij"), axis=-1)
        voxels = sum(np.exp(-((grid - place) ** 2).sum(axis=-1) / 8) for place in PLACES)
        self.images = {
            name.partition(".")[0]: write_volume(self.studies / name, voxels, pose) for name, pose in POSES.items()
        }
        domain = Domain("hand", NAMES, (16, 16, 16), target_spacing=(1.0, 1.0, 1.0))
        network = GU2Net(3, 1, {"hand": len(NAMES)}, features=(2, 4), global_features=2, dilations=(1,))
        self.model = save_model(folder / "model.pt", network, ModelCard({"hand": domain}, network.description))
        self.weights = AppWeights(folder / "app")
        self.weights.start(self.model)
        self.domains = self.weights.card.domains_for_new_images
        self.find = LandmarkInferTask(self.weights, self.domains["hand"])

    def store(self) -> LandmarkDatastore:
        return LandmarkDatastore(self.studies, domains=self.domains, extensions=EXTENSIONS)

    def label(self, store: LandmarkDatastore, image: str, *, off: float = 0.0, tag: str = "final") -> None:
        """Label an image, all of its points so many mm to the left of where they are."""
        places = lps_of(self.images[image], PLACES) + np.array([off, 0, 0])
        path = write_points(self.folder / "label.mrk.json", dict(zip(NAMES, places.tolist(), strict=True)))
        store.save_label(image, str(path), tag, {})


@pytest.fixture
def app(tmp_path: Path) -> App:
    return App(tmp_path)


def test_a_pre_label_lies_where_the_volume_has_what_was_found(app: App) -> None:
    assert len(app.images) == len(POSES)
    for path in app.images.values():
        file, reply = app.find({"image": str(path), "device": "cpu"})
        content = json.loads(Path(file).read_text())["markups"][0]
        Path(file).unlink()
        found = np.array([[each[axis] for axis in "xyz"] for each in reply["landmarks"]], dtype=float)
        assert np.isfinite(found).all()
        assert (content["coordinateSystem"], content["coordinateUnits"]) == ("LPS", "mm")
        placed = np.array([point["position"] for point in content["controlPoints"]])
        np.testing.assert_allclose(placed, lps_of(path, found), atol=1e-3)
        np.testing.assert_allclose([each["lps"] for each in reply["landmarks"]], placed, atol=1e-3)


@pytest.mark.parametrize(
    ("system", "unit", "factors"),
    [("LPS", "mm", (1, 1, 1)), ("RAS", "mm", (-1, -1, 1)), ("LPS", "um", (1000, 1000, 1000))],
)
def test_a_label_comes_back_to_its_voxels_whatever_its_frame(
    app: App, system: str, unit: str, factors: tuple[int, ...]
) -> None:
    for path in app.images.values():
        places = dict(zip(NAMES, (lps_of(path, PLACES) * factors).tolist(), strict=True))
        label = write_points(app.folder / "label.mrk.json", places, system=system, unit=unit)
        name, points = check_label(label, path, domains=app.domains)
        assert name == "hand"
        np.testing.assert_allclose(points.points, PLACES, atol=1e-3)


def test_a_label_in_the_wrong_frame_or_outside_is_refused(app: App) -> None:
    path = app.images["oblique"]
    places = dict(zip(NAMES, lps_of(path, PLACES).tolist(), strict=True))
    mirrored = write_points(app.folder / "ras.mrk.json", places, system="RAS")
    with pytest.raises(LabelRefusedError, match="image of 18 x 20 x 16 voxels, in LPS mm of its file, or RAS if"):
        check_label(mirrored, path, domains=app.domains)
    [beyond] = lps_of(path, np.array([[4.0, 5.0, 15.6]])).tolist()  # the last voxel ends at 15.5
    with pytest.raises(LabelRefusedError, match=r"got outside: \['thumb'\]"):
        check_label(write_points(app.folder / "a.mrk.json", places | {"thumb": beyond}), path, domains=app.domains)
    with pytest.raises(LabelRefusedError, match="unknown names"):
        check_label(write_points(app.folder / "b.mrk.json", places | {"elbow": beyond}), path, domains=app.domains)
    infinite = write_points(app.folder / "c.mrk.json", places | {"thumb": [0.0, float("inf"), 0.0]})
    with pytest.raises(LabelRefusedError, match="all whole; got 1 that are not"):
        check_label(infinite, path, domains=app.domains)


def test_a_volume_that_states_no_scale_is_labelled_in_its_voxels(app: App) -> None:
    path = app.studies / "bare.nii.gz"
    nibabel.save(nibabel.Nifti1Image(np.ones(SIZE, np.float32), np.eye(4)), path)
    frame = label_frame(path)
    assert (frame.unit, frame.image_unit) == ("px", "px")
    # Slicer takes a voxel for 1 mm and turns NIfTI's RAS into LPS
    label = write_points(app.folder / "label.mrk.json", {"tip": [-4.0, -5.0, 6.0]})
    _, points = check_label(label, path, domains=app.domains)
    np.testing.assert_allclose(points.points[0], [4.0, 5.0, 6.0])


def test_a_volume_that_states_no_scale_is_pre_labelled_in_its_voxels_by_a_given_spacing(app: App) -> None:
    path = app.studies / "bare.nii.gz"
    nibabel.save(nibabel.Nifti1Image(np.ones(SIZE, np.float32), np.eye(4)), path)
    weights = AppWeights(app.folder / "app", PredictionOptions(spacing=(1.0, 1.0, 1.5)))
    file, reply = LandmarkInferTask(weights, app.domains["hand"])({"image": str(path), "device": "cpu"})
    [markup] = json.loads(Path(file).read_text())["markups"]
    assert (markup["coordinateSystem"], "coordinateUnits" in markup) == ("LPS", False)
    found = np.array([[each[axis] for axis in "xyz"] for each in reply["landmarks"]])
    assert np.isfinite(found).all()
    placed = np.array([point["position"] for point in markup["controlPoints"]])
    np.testing.assert_allclose(placed, found * [-1, -1, 1], atol=1e-4)  # 1 mm per voxel, as Slicer shows it
    store = app.store()
    store.save_label("bare", file, "original", {})
    Path(file).unlink()
    np.testing.assert_allclose([each["lps"][2] for each in reply["landmarks"]], 1.5 * found[:, 2], atol=1e-4)


def test_every_kind_of_file_that_is_a_volume_is_listed_by_the_server(tmp_path: Path) -> None:
    for name in ("a.nii", "b.nii.gz", "c.nrrd", "d.mha", "e.mhd", "f.NII.GZ"):
        if "nii" in name.lower():
            nibabel.save(nibabel.Nifti1Image(np.ones(SIZE, np.float32), np.diag([2, 2, 2, 1])), tmp_path / name)
        else:
            write_volume(tmp_path / name, np.ones(SIZE), np.eye(3))  # of .mhd the values lie beside it
    endings = json.loads(_settings(str(tmp_path), tmp_path / "app", 8000, {})["MONAI_LABEL_DATASTORE_FILE_EXT"])
    domains = {"hand": Domain("hand", NAMES, (16, 16, 16))}
    store = LandmarkDatastore(tmp_path, domains=domains, extensions=endings)
    assert sorted(store.list_images()) == list("abcdef")
    assert label_frame(store.get_image_uri("e")).size == SIZE


def test_images_with_two_axes_are_left_out_and_said(app: App, caplog: pytest.LogCaptureFixture) -> None:
    Image.fromarray(np.zeros((8, 9), np.uint8)).save(app.studies / "picture.png")
    nibabel.save(nibabel.Nifti1Image(np.ones((8, 9, 1), np.float32), np.eye(4)), app.studies / "slice.nii.gz")
    with caplog.at_level(logging.WARNING):
        store = app.store()
        store.refresh()
    assert sorted(store.list_images()) == sorted(app.images)
    assert [record.getMessage() for record in caplog.records if record.name.endswith("datastore")] == [
        "2 image(s) left out, for the model is of volumes, and it has two axes: picture.png, slice.nii.gz"
    ]


def test_a_folder_with_a_dicom_series_is_an_image_to_pre_label_label_and_train_on(app: App) -> None:
    affine = series_files.oblique_affine()
    for name in ("first", "second"):
        voxels = np.arange(8 * 9 * 6, dtype=np.uint16).reshape(8, 9, 6)
        series_files.make_series(app.studies / name, voxels, affine, series=name, PatientID="one")
    store = app.store()
    assert {"first", "second"} <= set(store.list_images())
    file, reply = app.find({"image": store.get_image_uri("first"), "device": "cpu"})
    placed = [point["position"] for point in json.loads(Path(file).read_text())["markups"][0]["controlPoints"]]
    Path(file).unlink()
    found = np.array([[each[axis] for axis in "xyz"] for each in reply["landmarks"]])
    np.testing.assert_allclose(placed, nibabel.affines.apply_affine(affine, found) * [-1, -1, 1], atol=1e-3)
    place = nibabel.affines.apply_affine(affine, [3.0, 4.0, 2.0]) * [-1, -1, 1]
    for name in ("first", "second"):
        store.save_label(name, str(write_points(app.folder / "label.mrk.json", {"tip": place.tolist()})), "final", {})
    app.label(store, "plain")
    data, _ = labelled_data(
        store.datalist(),
        domain=app.domains["hand"],
        domains=app.domains,
        validation=0.5,
        earlier_splits={},
        domain_of={},
    )
    parts = [{case["case"] for case in part} for part in (data.training, data.validation)]
    assert sorted(map(sorted, parts)) == [["first", "second"], ["plain"]]  # of one patient, who is in one part
    case = next(case for case in data.cases("all") if case["case"] == "first")
    np.testing.assert_allclose(case["landmarks"][0], [3.0, 4.0, 2.0], atol=1e-4)
    with pytest.raises(LabelRefusedError, match="must be a file; 'first' is a folder"):
        store.remove_image("first")
    (app.studies / "second" / "IM0017").unlink()  # a gap
    with pytest.raises(LabelRefusedError, match="can be read"):
        store.save_label("second", str(app.folder / "label.mrk.json"), "final", {})


def test_series_of_one_patient_stay_together_though_a_report_lies_before_the_slices(app: App) -> None:
    affine, voxels = series_files.oblique_affine(), np.arange(8 * 9 * 6, dtype=np.uint16).reshape(8, 9, 6)
    for name in ("first", "second", "third"):
        series_files.make_series(app.studies / name, voxels, affine, series=name, PatientID="one")
    foreign_reports.report(app.studies / "third" / "0_report.dcm")  # the first by its name, and no image
    store = app.store()
    place = nibabel.affines.apply_affine(affine, [3.0, 4.0, 2.0]) * [-1, -1, 1]
    for name in ("first", "second", "third"):
        store.save_label(name, str(write_points(app.folder / "label.mrk.json", {"tip": place.tolist()})), "final", {})
    app.label(store, "plain")
    hand = {"domain": app.domains["hand"], "domains": app.domains}
    data, _ = labelled_data(store.datalist(), **hand, validation=0.5, earlier_splits={}, domain_of={})
    patients = {case["case"]: case["patient"] for case in data.cases("all")}
    assert patients["first"] == patients["second"] == patients["third"] != patients["plain"]


def test_a_series_is_shown_in_the_window_of_its_slices(tmp_path: Path) -> None:
    """PS3.3, C.11.2.1.2.1: black up to c - 0.5 - (w - 1) / 2, white from c - 0.5 + (w - 1) / 2 on."""
    voxels = np.arange(8 * 9 * 6, dtype=np.uint16).reshape(8, 9, 6)
    window = {"WindowCenter": ["40", "300"], "WindowWidth": ["401", "1000"], "RescaleIntercept": "0"}
    folder = series_files.make_series(tmp_path / "s", voxels, series_files.oblique_affine(), **window)
    pixels, _ = read_image(folder)
    assert default_window(folder, pixels) == (-160.5, 239.5)


def test_a_slice_that_is_written_anew_in_its_place_moves_the_frame_of_the_labels(app: App) -> None:
    """As a folder's own time stays when a file in it is written over."""
    voxels = np.arange(8 * 9 * 6, dtype=np.uint16).reshape(8, 9, 6)
    affine = series_files.oblique_affine()
    folder = series_files.make_series(app.studies / "series", voxels, affine)
    before = label_frame(folder).image_affine
    np.testing.assert_allclose(before, affine, atol=1e-3)
    moved = affine.copy()
    moved[:3, 3] += (10, 20, 30)
    status = folder.stat()
    series_files.make_series(folder, voxels, moved)
    os.utime(folder, ns=(status.st_atime_ns, status.st_mtime_ns))
    np.testing.assert_allclose(label_frame(folder).image_affine, moved, atol=1e-3)


def test_slices_that_lie_about_or_deeper_are_left_out_of_volumes_and_said(
    app: App, make_dicom: Any, caplog: pytest.LogCaptureFixture
) -> None:
    (app.studies / "patient" / "series").mkdir(parents=True)
    for path in ("slice.dcm", "patient/series/1.dcm"):
        make_dicom(app.studies / path, np.ones((8, 9), np.uint16))
    with caplog.at_level(logging.WARNING):
        assert sorted(app.store().list_images()) == sorted(app.images)
    assert [record.getMessage() for record in caplog.records if record.name.endswith("datastore")] == [
        "1 image(s) left out, for its DICOM files lie in folders within; move those here: patient",
        "1 image(s) left out, for the model is of volumes, and it has two axes: slice.dcm",
    ]


def test_a_folder_of_dicom_files_among_radiographs_is_said(
    app: App, make_dicom: Any, caplog: pytest.LogCaptureFixture
) -> None:
    (app.studies / "films").mkdir()
    make_dicom(app.studies / "films" / "1.dcm", np.ones((8, 9), np.uint16))
    flat = {"hand": Domain("hand", NAMES, (16, 16))}
    with caplog.at_level(logging.WARNING):
        LandmarkDatastore(app.studies, domains=flat, extensions=EXTENSIONS)
    assert "it is a folder of DICOM files, which is not looked into; put them beside the others: films" in caplog.text


def test_a_model_of_radiographs_leaves_volumes_out_and_refuses_their_labels(app: App) -> None:
    Image.fromarray(np.zeros((8, 9), np.uint8)).save(app.studies / "picture.png")
    app.store()  # the list has the volumes now
    flat = {"hand": Domain("hand", NAMES, (16, 16))}
    assert LandmarkDatastore(app.studies, domains=flat, extensions=EXTENSIONS).list_images() == ["picture"]
    label = write_points(app.folder / "label.mrk.json", {"tip": [1.0, 2.0, 0.0]})
    with pytest.raises(LabelRefusedError, match="'hand' must have 2 axes; the image has 18 x 20 x 16 voxels"):
        check_label(label, app.images["plain"], domains=flat)


def test_a_radiograph_asked_of_a_model_of_volumes_is_refused_in_words(app: App) -> None:
    Image.fromarray(np.arange(72, dtype=np.uint8).reshape(8, 9)).save(app.studies / "picture.png")
    with pytest.raises(MONAILabelException) as caught:
        app.find({"image": str(app.studies / "picture.png"), "device": "cpu"})
    assert "must have 1 channel(s) and 3 spatial axes, as domain 'hand' has" in caught.value.msg


@pytest.mark.filterwarnings("ignore:'crypt' is deprecated:DeprecationWarning")  # by passlib, which MONAI Label needs
def test_volumes_come_from_a_folder_and_not_from_a_dicomweb_server(app: App) -> None:
    from monai_gu2net.label_app.app import LandmarkApp

    (app.folder / "model").mkdir()
    (app.folder / "model" / "model.pt").write_bytes(app.model.read_bytes())
    with pytest.raises(ValueError, match="volumes to label must be files in a folder; got 'https://pacs"):
        LandmarkApp(str(app.folder), "https://pacs.example.org/dicom-web", {})


def test_scores_say_what_to_label_next_and_how_far_a_pre_label_was_off(app: App) -> None:
    store = app.store()
    scored = UncertaintyScore({"hand": app.find})({"device": "cpu"}, store)
    assert scored["failed"] == {}
    assert scored["scores"].keys() == app.images.keys()
    assert store.get_image_info("steep")[UNCERTAINTY] == scored["scores"]["steep"]
    app.label(store, "steep", off=0.75, tag="original")
    app.label(store, "steep")
    told = CorrectionScore(app.domains)({}, store)
    assert told["failed"] == {}
    score = told["scores"]["steep"]
    assert (score["mre"], score["worst"]) == pytest.approx((0.75, 0.75), abs=1e-3)
    assert (score["unit"], score["landmarks"]) == ("mm", 3)


def test_training_on_labelled_volumes_takes_the_weights_that_are_better(app: App) -> None:
    train = LandmarkTrainTask(
        app.weights, app.domains["hand"], domains=app.domains, config=BUNDLE, folder=app.folder / "training"
    )
    store = app.store()
    for image in app.images:
        app.label(store, image)
    before = load_model(app.weights.path)[0].state_dict()
    quick = {"max_epochs": 4, "batches_per_epoch": 5, "validation": 0.3, "device": "cpu", "learning_rate": 0.02}
    result = train(quick, store)
    assert (result["training_images"], result["validation_images"]) == (4, 2)
    assert result["unit"] == "mm"
    assert result["new_mre"] < result["old_mre"]
    assert result["replaced"] is True
    after = load_model(app.weights.path)[0].state_dict()
    assert any((after[name] != value).any() for name, value in before.items())


def test_volumes_without_a_scale_are_trained_on_at_the_spacing_given_as_they_are_pre_labelled(app: App) -> None:
    for path in app.images.values():
        path.unlink()
    for name in ("one", "two"):
        nibabel.save(nibabel.Nifti1Image(np.ones(SIZE, np.float32), np.eye(4)), app.studies / f"{name}.nii.gz")
    weights = AppWeights(app.folder / "app", PredictionOptions(spacing=(1.0, 1.0, 1.5)))
    train = LandmarkTrainTask(
        weights, app.domains["hand"], domains=app.domains, config=BUNDLE, folder=app.folder / "training"
    )
    store = app.store()
    for name in ("one", "two"):
        label = write_points(app.folder / "label.mrk.json", {"tip": [-4.0, -5.0, 6.0]})
        store.save_label(name, str(label), "final", {})
    result = train({"max_epochs": 1, "batches_per_epoch": 1, "validation": 0.5, "device": "cpu"}, store)
    assert (result["training_images"], result["validation_images"], result["unit"]) == (1, 1, "mm")
    [case] = json.loads(json.dumps(train._data(TrainingOptions(), store).training))
    assert case["landmarks"][0] == pytest.approx([4, 5, 6])  # voxels still


def test_a_bundle_of_radiographs_does_not_train_a_model_of_volumes(app: App) -> None:
    options = ["--studies", str(app.studies), "-m", str(app.model), "--bundle", str(BUNDLE.parents[2] / "gu2net")]
    done = subprocess.run(
        [sys.executable, "-m", "monai_gu2net", "label", *options], capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 2
    assert "--bundle must train on images with 3 axes, as the model's have; got" in done.stderr


def test_discs_in_a_volume_with_other_axes_are_where_they_were_drawn(app: App) -> None:
    image = app.images["oblique"]
    mask = np.zeros(SIZE, np.uint8)
    for value, (x, y, z) in enumerate(np.rint(PLACES).astype(int), start=1):
        mask[x - 1 : x + 2, y - 1 : y + 2, z - 1 : z + 2] = value
    drawn = nibabel.Nifti1Image(mask, nibabel.load(image).affine)
    nibabel.save(drawn, app.folder / "same.nii.gz")
    other = nibabel.orientations.axcodes2ornt(("S", "L", "P"))
    turn = nibabel.orientations.ornt_transform(nibabel.io_orientation(drawn.affine), other)
    nibabel.save(drawn.as_reoriented(turn), app.folder / "turned.nii.gz")
    for name in ("same", "turned"):
        found = read_discs(app.folder / f"{name}.nii.gz", image, landmarks=NAMES)
        np.testing.assert_allclose(found.points, np.rint(PLACES), atol=1e-3)
    with pytest.raises(LabelRefusedError, match="the image's 18 x 20 x 16 voxels; got"):
        read_discs(app.folder / "same.nii.gz", app.images["plain"], landmarks=NAMES)


def test_an_annotator_of_volumes_is_served_from_the_list_to_the_label(app: App, start_server: Any) -> None:
    series_files.make_series(
        app.studies / "series", np.arange(8 * 9 * 6, dtype=np.uint16).reshape(8, 9, 6), series_files.oblique_affine()
    )
    Image.fromarray(np.zeros((8, 9), np.uint8)).save(app.studies / "picture.png")
    endings = {"MONAI_LABEL_DATASTORE_FILE_EXT": json.dumps(EXTENSIONS)}
    command = ["-m", "monai_gu2net", "label", "--studies", app.studies, "-m", app.model]
    with start_server(command, environment=endings) as server:
        info = server.get_json("/info/")
        assert info["models"]["gu2net_hand"]["dimension"] == 3
        assert list(info["trainers"]) == ["gu2net_hand"]
        images = {*app.images, "series"}
        assert info["datastore"]["total"] == len(images)
        assert "1 image(s) left out, for the model is of volumes, and it has two axes: picture.png" in server.tail()
        answer = server.post_json("/batch/infer/gu2net_hand?images=unlabeled&run_sync=true", {"label_tag": "original"})
        assert answer.keys() == images
        assert {name for name, each in answer.items() if "error" in each} == set()
        scores = server.post_json("/scoring/uncertainty?run_sync=true")["scores"]
        assert server.post_json("/activelearning/uncertain_first")["id"] == max(scores, key=scores.__getitem__)
        sent = nibabel.Nifti1Image.from_bytes(server.request("GET", "/gu2net/image/series.nii"))
        np.testing.assert_allclose(sent.affine, series_files.oblique_affine(), atol=1e-3)
        [place] = lps_of(app.images["steep"], PLACES[:1])
        label = write_points(app.folder / "label.mrk.json", {"tip": (place * [-1, -1, 1]).tolist()}, system="RAS")
        put_label(server, "steep", label)
        kept = app.studies / "labels" / "final" / "steep.mrk.json"
        assert kept.read_bytes() == label.read_bytes()
        lost = write_points(app.folder / "lost.mrk.json", {"tip": (place + 1000).tolist()})
        with pytest.raises(urllib.error.HTTPError, match=r"422.*image of 18 x 20 x 16 voxels, in LPS mm of its file"):
            put_label(server, "steep", lost)
        assert kept.read_bytes() == label.read_bytes()


def test_pairs_of_volumes_with_point_lists_or_discs_are_a_datalist_in_voxels(app: App) -> None:
    oblique, steep = app.images["oblique"], app.images["steep"]
    points = write_points(app.folder / "points.mrk.json", dict(zip(NAMES, lps_of(steep, PLACES).tolist(), strict=True)))
    mask = np.zeros(SIZE, np.uint8)
    mask[3:6, 4:7, 5:8] = 2
    nibabel.save(nibabel.Nifti1Image(mask, nibabel.load(oblique).affine), app.folder / "discs.nii.gz")
    pairs = [
        {"image": str(steep), "label": str(points)},
        {"image": str(oblique), "label": str(app.folder / "discs.nii.gz")},
    ]
    data = datalist_of_pairs(pairs, [], checkpoint=app.model, domain="hand")
    assert data is not None
    np.testing.assert_allclose(data.training[0]["landmarks"], PLACES, atol=1e-3)
    first, second, third = data.training[1]["landmarks"]
    assert (first, third) == (None, None)
    np.testing.assert_allclose(second, [4.0, 5.0, 6.0], atol=1e-3)


def put_label(server: Any, image: str, label: Path) -> None:
    """``PUT /datastore/label``, as MONAI Label's clients do it."""
    head = '--edge\r\nContent-Disposition: form-data; name="label"; filename="label.mrk.json"\r\n\r\n'
    body = head.encode() + label.read_bytes() + b"\r\n--edge--\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=edge"}
    server.request("PUT", f"/datastore/label?image={image}&tag=final", body=body, headers=headers)
