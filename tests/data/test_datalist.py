# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monai_gu2net.data import Datalist, Domain, ReferenceLength
from monai_gu2net.sources import open_data

NAN = float("nan")
HEAD = Domain("head", ("a", "b"), (416, 512), spacing=(0.1, 0.1))
HAND = Domain("hand", ("c", "d"), (384, 512), reference=ReferenceLength("c", "d", 50), mirror=(("c", "d"),))
KNEE = Domain("knee", ("e",), (32, 32, 16), in_channels=2)
BOTH = {"head": HEAD, "hand": HAND}


def case(number: int, **fields: Any) -> dict[str, Any]:
    return {"image": f"{number:03d}.png", "domain": "head"} | fields


def written(folder: Path, content: Any) -> Path:
    path = folder / "datalist.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


HEAD_JSON = {"head": HEAD.to_dict()}


def test_a_saved_datalist_loads_as_it_was(tmp_path: Path) -> None:
    datalist = Datalist(
        "two",
        BOTH,
        training=[
            case(
                1,
                image=tmp_path / "images" / "1.png",
                patient="p",
                landmarks=[[1.5, 2], None],
                spacing=(1, 2),
            ),
            case(2, image=tmp_path / "2.png", case="x", landmarks=np.array([[0.25, 3], [NAN, NAN]])),
        ],
        validation=[case(3, image=tmp_path / "3.png", domain="hand", case="x")],
        test=[case(4, image=tmp_path / "4.nii.gz", landmarks={"b": [5, 6]})],
    )
    loaded = Datalist.load(datalist.save(tmp_path / "datalist.json"))
    for split in ("training", "validation", "test"):
        found = [one | {"image": Path(one["image"])} for one in getattr(loaded, split)]
        assert found == [one | {"image": Path(one["image"])} for one in getattr(datalist, split)]
    assert (loaded.name, loaded.domains) == ("two", BOTH)
    assert list(loaded.domains) == ["head", "hand"]
    assert loaded.training[0]["landmarks"] == [[1.5, 2.0], None]
    assert loaded.training[0]["spacing"] == [1.0, 2.0]
    assert loaded.training[1]["landmarks"] == [[0.25, 3.0], None]
    assert loaded.test[0]["landmarks"] == [None, [5.0, 6.0]]
    assert loaded.test[0]["case"] == loaded.test[0]["patient"] == "4"


def test_images_are_written_relative_to_the_datalist(tmp_path: Path) -> None:
    images = [tmp_path / "data" / "images" / "1.png", tmp_path / "elsewhere" / "2.png"]
    datalist = Datalist("d", {"head": HEAD}, [case(n, image=str(image)) for n, image in enumerate(images)])
    path = datalist.save(tmp_path / "data" / "datalist.json")
    content = json.loads(path.read_text(encoding="utf-8"))
    assert [c["image"] for c in content["training"]] == ["images/1.png", "../elsewhere/2.png"]
    moved = tmp_path / "moved"
    (tmp_path / "data").rename(moved)
    found = Datalist.load(moved / "datalist.json").training[0]["image"]
    assert Path(found) == moved / "images" / "1.png"


def test_an_absolute_image_stays_where_it_is(tmp_path: Path) -> None:
    path = written(tmp_path, {"domains": HEAD_JSON, "training": [{"image": "/data/1.png"}]})
    assert Datalist.load(path).training[0]["image"] == "/data/1.png"


def test_defaults_are_filled_in(tmp_path: Path) -> None:
    path = written(tmp_path, {"domains": HEAD_JSON, "test": [{"image": "a/007.x.png", "spacing": None}]})
    datalist = Datalist.load(path)
    assert datalist.name == tmp_path.name
    assert datalist.training == datalist.validation == []
    image = str(tmp_path / "a" / "007.x.png")
    assert datalist.test == [{"image": image, "domain": "head", "case": "007.x", "patient": "007.x"}]


def test_null_landmarks_are_no_ground_truth(tmp_path: Path) -> None:
    path = written(tmp_path, {"domains": HEAD_JSON, "test": [{"image": "1.png", "landmarks": None}]})
    assert "landmarks" not in Datalist.load(path).test[0]


@pytest.mark.parametrize(
    ("landmarks", "expected"),
    [
        ([[1, 2], None], [[1.0, 2.0], None]),
        ([[1, NAN], [NAN, NAN]], [None, None]),
        ([["1", "2"], [3.5, -4]], [[1.0, 2.0], [3.5, -4.0]]),
        ({"b": [1, 2], "a": None}, [None, [1.0, 2.0]]),
        ({}, [None, None]),
        (np.array([[1.0, 2.0], [NAN, NAN]], dtype=np.float32), [[1.0, 2.0], None]),
    ],
)
def test_points_become_lists_of_numbers_and_none(landmarks: Any, expected: list[Any]) -> None:
    assert Datalist("d", {"head": HEAD}, [case(1, landmarks=landmarks)]).training[0]["landmarks"] == expected


def test_nan_in_the_file_is_an_absent_landmark(tmp_path: Path) -> None:
    path = written(tmp_path, {"domains": HEAD_JSON, "test": [case(1, landmarks=[[NAN, NAN], [1, 2]])]})
    assert "NaN" in path.read_text()
    assert Datalist.load(path).test[0]["landmarks"] == [None, [1.0, 2.0]]


def test_a_domain_may_be_a_volume(tmp_path: Path) -> None:
    cases = [{"image": "v.nii.gz", "landmarks": [[1, 2, 3]], "spacing": [1, 1, 2.5]}]
    loaded = Datalist.load(Datalist("d", {"knee": KNEE}, cases).save(tmp_path / "d.json"))
    assert loaded.training[0]["landmarks"] == [[1.0, 2.0, 3.0]]
    assert loaded.training[0]["spacing"] == [1.0, 1.0, 2.5]
    with pytest.raises(ValueError, match=r"landmark 'e' must be 3 numbers or null; got \[1, 2\]"):
        Datalist("d", {"knee": KNEE}, [{"image": "v.nii.gz", "landmarks": [[1, 2]]}])


def test_counts_are_those_of_the_network() -> None:
    datalist = Datalist("d", {"hand": HAND, "knee": KNEE})
    assert datalist.landmark_counts == {"hand": 2, "knee": 1}


def test_a_datalist_can_be_cut_down_to_some_domains() -> None:
    datalist = Datalist("d", BOTH, [case(1), case(2, domain="hand")], test=[case(3)])
    part = datalist.only(["hand"])
    assert (part.name, part.domains) == ("d", {"hand": HAND})
    assert part.training == datalist.training[1:]
    assert part.test == []
    assert list(datalist.only(["hand", "head"]).domains) == ["hand", "head"]
    with pytest.raises(ValueError, match=r"Domains must be among \['head', 'hand'\]; got \['knee'\]"):
        datalist.only(["hand", "knee"])


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        ({"test": [case(1, image=None)]}, r"test\[0\] must have 'image'; got \['domain'\]"),
        ({"test": [case(1), case(2, pixel=3)]}, r"test\[1\] must have fields among .*; got \['pixel'\]"),
        (
            {"test": [case(1, domain="knee")]},
            r"test\[0\]: domain must be among \['head', 'hand'\]; got 'knee'",
        ),
        ({"test": [{"image": "1.png"}]}, r"test\[0\]: domain must be among .*; got None"),
        (
            {"training": [case(1, landmarks=[[1, 2]])]},
            r"training\[0\] \(case '001'\): landmarks must be 2 points, as in domain 'head'; got 1",
        ),
        ({"training": [case(1, landmarks=5)]}, r"\(case '001'\): landmarks must be 2 points, .*; got 5"),
        ({"training": [case(1, landmarks={"x": [1, 2]})]}, r"must be named among \['a', 'b'\]; got \['x'\]"),
        (
            {"training": [case(1, landmarks=[[1, 2, 3], None])]},
            r"\(case '001'\): landmark 'a' must be 2 numbers or null; got \[1, 2, 3\]",
        ),
        ({"training": [case(1, landmarks=[None, [1, float("inf")]])]}, r"landmark 'b' must be 2 numbers or"),
        ({"training": [case(1, landmarks=[5, None])]}, r"landmark 'a' must be 2 numbers or null; got 5"),
        ({"training": [case(1, landmarks=[["x", 1], None])]}, r"landmark 'a' must be 2 numbers or null"),
        (
            {"training": [case(1, spacing=[1])]},
            r"\(case '001'\): spacing must be 2 positive numbers; got \[1\]",
        ),
        ({"training": [case(1, spacing=[1, 0])]}, r"spacing must be 2 positive numbers; got \[1, 0\]"),
        ({"training": [case(1, spacing=[1, NAN])]}, r"spacing must be 2 positive numbers"),
        ({"training": [case(1, spacing=["x", 1])]}, r"spacing must be 2 positive numbers; got \['x', 1\]"),
        ({"training": [case(1, spacing=0.1)]}, r"spacing must be 2 positive numbers; got 0\.1"),
        (
            {"training": [case(1)], "test": [case(2, case="001", patient="q")]},
            r"Case '001' of domain 'head' must stand in the datalist once; .* training\[0\] and test\[0\]",
        ),
        (
            {"training": [case(1, patient="p")], "validation": [case(2, patient="p")]},
            r"Patient 'p' of domain 'head' must stay within one split; got training and validation",
        ),
    ],
)
def test_a_broken_case_is_refused_with_its_place(splits: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Datalist("d", BOTH, **splits)


def test_one_patient_may_have_several_images_in_a_split_and_names_repeat_across_domains() -> None:
    cases = [case(1, patient="p"), case(2, patient="p")]
    datalist = Datalist("d", BOTH, cases, test=[case(1, patient="p", domain="hand")])
    assert [c["patient"] for c in datalist.training + datalist.test] == ["p"] * 3


def test_a_datalist_without_domains_is_refused() -> None:
    with pytest.raises(ValueError, match="must declare at least one domain; got none"):
        Datalist("d", {})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", r"datalist\.json: Expecting property name"),
        ([], r"datalist\.json: a datalist must be an object with 'domains'"),
        ({"domains": ["head"]}, r"a datalist must be an object with 'domains'"),
        ({"domains": HEAD_JSON, "version": 2}, r"datalist\.json: version must be 1; got 2"),
        (
            {"domains": HEAD_JSON, "test": ["1.png"]},
            r"test\[0\] must be an object with 'image'; got '1\.png'",
        ),
        ({"domains": HEAD_JSON, "test": [{"image": 3}]}, r"test\[0\] must be an object with 'image'"),
        ({"domains": {"head": {"size": [4, 4]}}}, r"datalist\.json: Domain 'head' must have 'landmarks'"),
        ({"domains": HEAD_JSON, "test": None}, r"datalist\.json: "),
        (
            {"domains": HEAD_JSON, "test": [case(1, spacing=[-1, 1])]},
            r"datalist\.json: test\[0\] \(case '001'\)",
        ),
    ],
)
def test_a_broken_file_is_refused_by_its_name(tmp_path: Path, content: Any, message: str) -> None:
    path = written(tmp_path, content)
    with pytest.raises(ValueError, match=message):
        Datalist.load(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"The datalist must be a file; got '.*no\.json'"):
        Datalist.load(tmp_path / "no.json")


@pytest.mark.parametrize("where", ["json", "disk"])
def test_a_failing_save_leaves_the_earlier_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    datalist = Datalist("first", {"head": HEAD}, [case(1)])
    path = datalist.save(tmp_path / "datalist.json")
    earlier = path.read_bytes()
    datalist.name = "second"
    if where == "json":
        datalist.training[0]["patient"] = object()
        with pytest.raises(TypeError, match="not JSON serializable"):
            datalist.save(path)
    else:

        def full(self: Path, data: str, **options: Any) -> int:
            with self.open("w") as file:
                file.write(data[:20])
            raise OSError("No space left on device")

        monkeypatch.setattr(Path, "write_text", full)
        with pytest.raises(OSError, match="No space left"):
            datalist.save(path)
    assert path.read_bytes() == earlier
    assert Datalist.load(path).name == "first"


def test_saving_makes_the_folder_and_leaves_no_other_file(tmp_path: Path) -> None:
    path = Datalist("d", {"head": HEAD}, [case(1)]).save(tmp_path / "new" / "deep" / "datalist.json")
    assert [p.name for p in path.parent.iterdir()] == ["datalist.json"]


def annotated() -> Datalist:
    """Head cases of both, of one and of no annotator, and a hand that nobody else annotated."""
    return Datalist(
        "annotated",
        {"head": HEAD, "hand": HAND},
        test=[
            case(
                1,
                landmarks=[[0, 0], [0, 0]],
                annotators={"senior": [[1, 2], [5, 5]], "junior": {"a": [3, 6]}},
            ),
            case(2, landmarks=[[0, 0], [0, 0]], annotators={"senior": [[7, 8], None]}),
            case(3, landmarks=[[0, 0], [0, 0]]),
            case(4, domain="hand", landmarks=[[1, 1], [2, 2]]),
        ],
    )


def test_annotators_are_kept_in_the_form_of_landmarks(tmp_path: Path) -> None:
    loaded = Datalist.load(annotated().save(tmp_path / "datalist.json"))
    assert loaded.test[0]["annotators"] == {"senior": [[1.0, 2.0], [5.0, 5.0]], "junior": [[3.0, 6.0], None]}
    assert loaded.test[1]["annotators"] == {"senior": [[7.0, 8.0], None]}
    assert "annotators" not in loaded.test[2]


@pytest.mark.parametrize(
    ("annotators", "message"),
    [
        ([[1, 2], [3, 4]], r"test\[0\] \(case '001'\): annotators must be an object of points by name"),
        ({"senior": [[1, 2]]}, r"case '001'\), annotator 'senior': landmarks must be 2 points"),
        ({"senior": {"c": [1, 2]}}, r"annotator 'senior': landmarks must be named among \['a', 'b'\]; got \['c'\]"),
        ({"senior": [[1, 2], [1, 2, 3]]}, r"annotator 'senior': landmark 'b' must be 2 numbers or null"),
    ],
)
def test_annotators_that_break_a_rule_are_refused(annotators: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Datalist("d", {"head": HEAD}, test=[case(1, annotators=annotators)])


@pytest.mark.parametrize(
    ("annotator", "ground_truth", "landmarks"),
    [
        ("senior", "senior", [[[1, 2], [5, 5]], [[7, 8], None], None]),
        ("junior", "junior", [[[3, 6], None], None, None]),
        ("mean", "mean of senior and junior", [[[2, 4], [5, 5]], [[7, 8], None], None]),
    ],
)
def test_another_annotator_becomes_the_ground_truth(annotator: str, ground_truth: str, landmarks: list[Any]) -> None:
    data = annotated().annotated_by(annotator)
    assert [found.get("landmarks") for found in data.test[:3]] == landmarks
    assert data.domains["head"].ground_truth == ground_truth


def test_a_domain_without_annotators_keeps_its_ground_truth() -> None:
    data = annotated().annotated_by("senior")
    assert data.test[3]["landmarks"] == [[1.0, 1.0], [2.0, 2.0]]
    assert data.domains["hand"] == HAND


def test_an_annotator_that_nobody_is_is_refused() -> None:
    with pytest.raises(ValueError, match=r"among those of the datalist \['junior', 'senior'\]; got 'expert'"):
        annotated().annotated_by("expert")
    with pytest.raises(ValueError, match=r"of the datalist \[\]; got 'mean'"):
        Datalist("d", {"head": HEAD}, test=[case(1)]).annotated_by("mean")


@pytest.mark.parametrize(("one", "other"), [(0, 0), (1, "1"), ("7 ", "7"), (np.int64(3), 3), ("0", 0)])
def test_a_patient_is_the_same_whether_number_or_words(one: Any, other: Any) -> None:
    with pytest.raises(ValueError, match=r"Patient '\d' of domain 'head' must stay within one split"):
        Datalist("x", BOTH, training=[case(1, patient=one)], test=[case(2, patient=other)])


@pytest.mark.parametrize("field", ["case", "patient"])
@pytest.mark.parametrize("value", ["", "  ", True, 1.0, ["p"]])
def test_what_identifies_nobody_is_refused(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"training\[0\]: {field} must be words or a whole number; got"):
        Datalist("x", BOTH, training=[case(1, **{field: value})])


def test_a_case_may_be_called_0() -> None:
    data = Datalist("x", BOTH, training=[case(1, case=0)])
    assert (data.training[0]["case"], data.training[0]["patient"]) == ("0", "0")


def test_an_image_stays_within_one_split_of_its_domain() -> None:
    twice = [case(1, case="a"), case(1, case="b")]
    with pytest.raises(ValueError, match=r"test\[0\]: an image .* within one split; got '001.png' in training"):
        Datalist("x", BOTH, training=twice[:1], test=twice[1:])
    Datalist("x", BOTH, training=twice)
    Datalist("x", BOTH, training=twice[:1], test=[case(1, domain="hand")])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"domains": HEAD_JSON, "val": []}, r"got \['val'\]\. Did you mean 'validation'\?"),
        ({"domains": HEAD_JSON, "trainning": []}, r"got \['trainning'\]\. Did you mean 'training'\?"),
        ({"domains": HEAD_JSON, "zzz": 1}, r"got \['zzz'\]\. Correct the spelling or take them out"),
        ({"domains": HEAD_JSON, "test": [{"image": "a.png", "pateint": 1}]}, r"test\[0\] .*Did you mean 'patient'\?"),
        ({"domains": {"head": {**HEAD.to_dict(), "spacings": 1}}}, r"Domain 'head' .*Did you mean 'spacing'\?"),
        ({"domains": HEAD_JSON, "left_out": [{"what": "image"}]}, "left_out must be a list of objects with what, name"),
        (
            {"domains": HEAD_JSON, "test": [{"image": "a.png", "outside": ["c"]}]},
            r"outside must be a list of landmarks among \['a', 'b'\]; got \['c'\]",
        ),
    ],
)
def test_an_unknown_field_is_refused_with_the_nearest_known_one(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Datalist.load(written(tmp_path, content))


def test_a_part_that_stands_in_the_file_twice_is_refused(tmp_path: Path) -> None:
    """JSON's own readers keep the second without a word."""
    text = json.dumps({"domains": HEAD_JSON, "test": []})[:-1] + ', "test": [{"image": "a.png"}]}'
    with pytest.raises(ValueError, match="a name must stand in an object once; got 'test' twice"):
        Datalist.load(written(tmp_path, text))


def test_another_ground_truth_has_its_own_landmarks_outside() -> None:
    """The other annotator's point is in the image; that the first one's lay outside says nothing of it."""
    one = case(1, landmarks=[None, [1, 1]], outside=["a"], annotators={"junior": [[2, 2], [3, 3]]})
    (found,) = Datalist("x", BOTH, test=[one]).annotated_by("junior").test
    assert found["landmarks"] == [[2.0, 2.0], [3.0, 3.0]]
    assert "outside" not in found


def _saved(folder: Path, **splits: Any) -> Path:
    domains = {"k": {"landmarks": ["a"], "size": [32, 32]}}
    (folder / "data.json").write_text(json.dumps({"domains": domains, **splits}))
    return folder / "data.json"


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        ({"training": None}, "training must be a list of cases; got None"),
        ({"test": {"image": "1.png"}}, "test must be a list of cases"),
        ({"training": [{"image": ""}]}, r"training\[0\] must be an object with 'image'"),
        ({"training": [{"image": "1.png", "outside": 3}]}, "outside must be a list of landmarks"),
        ({"training": [{"image": "1.png", "landmarks": ["12"]}]}, "landmark 'a' must be 2 numbers or null; got '12'"),
        ({"training": [{"image": "1.png", "landmarks": [[True, 2]]}]}, r"must be 2 numbers or null; got \[True, 2\]"),
        (
            {"training": [{"image": "1.png", "patient": "\u00e9"}], "test": [{"image": "2.png", "patient": "e\u0301"}]},
            "must stay within one split",
        ),
    ],
)
def test_what_is_no_case_or_no_point_is_told_so(tmp_path: Path, splits: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Datalist.load(_saved(tmp_path, **splits))


def test_an_image_and_a_link_to_it_stay_within_one_split(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(b"")
    (tmp_path / "2.png").symlink_to(tmp_path / "1.png")
    with pytest.raises(ValueError, match="must stay within one split"):
        Datalist.load(_saved(tmp_path, training=[{"image": "1.png"}], test=[{"image": "2.png"}]))


def test_nothing_is_learned_from_landmarks_in_doubt(tmp_path: Path) -> None:
    """The file keeps them, and so does the test part, which is scored with and without."""
    case = {"landmarks": [[1, 2], [3, 4], None], "annotators": {"x": [[1, 2], [3, 4], None]}, "doubtful": ["b", "c"]}
    splits = {split: [{"image": f"{split}.png", "domain": "d", **case}] for split in ("training", "validation", "test")}
    Datalist("d", {"d": Domain("d", ("a", "b", "c"), (8, 8))}, **splits).save(tmp_path / "d.json")
    data = open_data(tmp_path / "d.json", phantom_dir=tmp_path)
    for split in ("training", "validation"):
        [found] = getattr(data, split)
        assert found["landmarks"] == found["annotators"]["x"] == [[1, 2], None, None]
    assert data.test[0]["landmarks"] == [[1, 2], [3, 4], None]
    assert Datalist.load(tmp_path / "d.json").training[0]["landmarks"] == [[1, 2], [3, 4], None]


@pytest.mark.parametrize("doubtful", ["b", ["nose"], [None]])
def test_landmarks_in_doubt_are_named_among_the_domains(doubtful: object) -> None:
    case = {"image": "a.png", "doubtful": doubtful}
    with pytest.raises(ValueError, match=r"doubtful must be a list of landmarks among \['a', 'b'\]; got"):
        Datalist("d", {"d": Domain("d", ("a", "b"), (8, 8))}, training=[case])
