# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from monai_gu2net.connections import Spool, SpoolFullError, spool_name


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., Spool]]:
    """Opens the spool of one folder; an earlier one is given up as by a crash, without a word."""
    last: list[Spool] = []

    def start(**bounds: int) -> Spool:
        if last:
            last.pop().close()
        last.append(Spool(tmp_path / "spool", **bounds))
        return last[0]

    yield start
    for spool in last:
        spool.close()


def files(spool: Spool) -> dict[str, bytes]:
    """Everything in the spool but its lock, by its path."""
    root = spool.incoming.parent
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and path.name != "lock"
    }


def answer(spool: Spool, name: str, content: bytes = b"answer") -> None:
    with spool.answering(name) as folder:
        (folder / f"{name}.sr.dcm").write_bytes(content)


def test_an_accepted_image_is_one_file_called_by_a_hash_of_its_uid(opened) -> None:
    spool = opened()
    name = spool.accept("1.2.3", b"image")
    assert name == hashlib.sha256(b"1.2.3").hexdigest()[:32]
    assert files(spool) == {f"incoming/{name}.dcm": b"image"}
    assert len(spool) == 1


@pytest.mark.parametrize("uid", ["../../x", "", "a/b", "\0", "x" * 500, "\udc80"])
def test_a_hostile_uid_gives_a_plain_name(opened, uid: str) -> None:
    spool = opened()
    name = spool.accept(uid, b"image")
    assert len(name) == 32
    assert set(name) <= set("0123456789abcdef")
    assert files(spool) == {f"incoming/{name}.dcm": b"image"}


def test_only_the_owner_can_read_an_image(opened) -> None:
    spool = opened()
    spool.accept("1", b"image")
    modes = {path.stat().st_mode & 0o077 for path in (spool.incoming.parent, *spool.incoming.iterdir())}
    assert modes == {0}


def test_an_image_that_waits_is_not_taken_twice(opened) -> None:
    spool = opened()
    name = spool.accept("1", b"first")
    assert spool.accept("1", b"second") == name
    assert files(spool) == {f"incoming/{name}.dcm": b"first"}
    assert spool.claim() == spool.work / f"{name}.dcm"
    assert spool.accept("1", b"third") == name
    assert len(spool) == 1
    assert spool.incoming.exists()
    assert not any(spool.incoming.iterdir())


def test_an_image_whose_file_was_removed_is_taken_again(opened) -> None:
    spool = opened(max_files=1)
    name = spool.accept("1", b"first")
    (spool.incoming / f"{name}.dcm").unlink()
    assert spool.accept("1", b"second") == name
    assert files(spool) == {f"incoming/{name}.dcm": b"second"}
    spool.claim().unlink()
    assert spool.accept("1", b"third") == name
    assert files(spool) == {f"incoming/{name}.dcm": b"third"}
    assert len(spool) == 1


@pytest.mark.parametrize("bounds", [{"max_files": 2}, {"max_bytes": 10}])
def test_a_full_spool_refuses_keeps_nothing_and_takes_again_when_there_is_room(opened, bounds: dict[str, int]) -> None:
    spool = opened(**bounds)
    kept = {spool.accept("1", b"12345"), spool.accept("2", b"12345")}
    before = files(spool)
    with pytest.raises(SpoolFullError, match="The spool must hold at most"):
        spool.accept("3", b"12345")
    assert files(spool) == before
    done = spool.claim().stem
    with pytest.raises(SpoolFullError, match="at most"):
        spool.accept("3", b"12345")  # what is worked on counts
    answer(spool, done)
    spool.done(done)
    kept = (kept - {done}) | {spool.accept("3", b"12345")}
    assert set(files(spool)) == {f"incoming/{name}.dcm" for name in kept}


def test_a_restart_counts_what_is_there(opened) -> None:
    opened().accept("1", b"image")
    spool = opened(max_files=1)
    assert len(spool) == 1
    with pytest.raises(SpoolFullError, match="at most 1 images"):
        spool.accept("2", b"image")


def test_a_full_disk_is_a_full_spool(opened, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = opened()

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(SpoolFullError, match="must be able to write 5 bytes; got: No space left on device"):
            spool.accept("1", b"image")
    assert files(spool) == {}
    assert len(spool) == 0
    spool.accept("1", b"image")
    assert len(spool) == 1


def test_a_second_process_is_refused(opened, tmp_path: Path) -> None:
    opened()
    with pytest.raises(OSError, match="must belong to one process; got 'spool'"):
        Spool(tmp_path / "spool")


def test_bounds_must_be_positive(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must be positive; got 0"):
        Spool(tmp_path, max_files=0)


def test_images_are_claimed_in_the_order_they_came(opened) -> None:
    spool = opened()
    names = [spool.accept(str(number), b"image") for number in range(5)]
    for position, name in enumerate(names):
        os.utime(spool.incoming / f"{name}.dcm", (position, position))
    claimed = []
    while (image := spool.claim()) is not None:
        claimed.append(image.stem)
        answer(spool, image.stem)
    assert claimed == names


def test_an_unfinished_answer_counts_for_nothing(opened) -> None:
    spool = opened()
    spool.accept("1", b"image")
    name = spool.claim().stem

    def half_way() -> None:
        with spool.answering(name) as folder:
            (folder / "a.dcm").write_bytes(b"half")
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        half_way()
    assert spool.undelivered() == []
    assert not any(spool.answers.iterdir())


def test_a_failure_keeps_image_and_reason_and_can_be_tried_again(opened) -> None:
    spool = opened()
    spool.accept("1", b"image")
    name = spool.claim().stem
    spool.fail(name, "no reason")
    assert set(files(spool)) == {f"failed/{name}.dcm", f"failed/{name}.json"}
    assert json.loads(files(spool)[f"failed/{name}.json"]) == {"name": name, "reason": "no reason"}
    assert len(spool) == 0
    shutil.move(spool.failed / f"{name}.dcm", spool.incoming / f"{name}.dcm")
    assert spool.claim().stem == name
    assert len(spool) == 1
    answer(spool, name)
    spool.done(name)
    assert files(spool) == {}


def test_of_many_failures_the_oldest_images_go_and_the_reasons_stay(opened) -> None:
    spool = opened(max_failed=2)
    for number in range(4):
        spool.accept(str(number), b"image")
        name = spool.claim().stem
        spool.fail(name, "no reason")
        os.utime(spool.failed / f"{name}.dcm", (number, number))
    left = set(files(spool))
    assert {path for path in left if path.endswith(".dcm")} == {f"failed/{spool_name(n)}.dcm" for n in "23"}
    assert {path for path in left if path.endswith(".json")} == {f"failed/{spool_name(n)}.json" for n in "0123"}


def test_an_image_at_which_the_process_dies_three_times_has_failed(opened) -> None:
    spool = opened()
    name = spool.accept("1", b"image")
    for _ in range(2):
        assert spool.claim().stem == name
        spool = opened()
        assert set(files(spool)) == {f"incoming/{name}.dcm", f"work/{name}.tries"}
    spool.claim()
    spool = opened()
    assert set(files(spool)) == {f"failed/{name}.dcm", f"failed/{name}.json"}
    assert "ended 3 times" in files(spool)[f"failed/{name}.json"].decode()


class Killed(BaseException):
    """The process is no more."""


_CALLS = ("fsync", "rename", "replace", "unlink", "mkdir", "rmdir", "utime", "open")


def life(spool: Spool, delivered: list[tuple[str, bytes]], accepted: list[str], answers: Iterator[int]) -> None:
    """Accept an image if none is, then answer and deliver what is there."""
    if not accepted:
        accepted.append(spool.accept("1", b"image"))
    while (image := spool.claim()) is not None:
        answer(spool, image.stem, str(next(answers)).encode())
    for folder in spool.undelivered():
        delivered += [(path.name, path.read_bytes()) for path in folder.iterdir()]
        spool.done(folder.name)


def test_killed_before_any_system_call_an_accepted_image_is_answered_by_one_object(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every call that changes the disk is the last one of a life; nothing of a life's cleaning up happens after it."""
    originals = {name: getattr(os, name) for name in _CALLS}
    last = 0
    for last in range(1, 200):
        left = [last]

        def counted(name: str, *arguments: Any, left: list[int] = left, **options: Any) -> Any:
            left[0] -= 1
            if left[0] <= 0:
                raise Killed
            return originals[name](*arguments, **options)

        folder, delivered, accepted, answers = tmp_path / str(last), [], [], iter(range(100))
        killed = False
        spool = Spool(folder)
        with monkeypatch.context() as patch:
            for name in _CALLS:
                patch.setattr(os, name, lambda *a, _name=name, **o: counted(_name, *a, **o))
            try:
                life(spool, delivered, accepted, answers)
            except Killed:
                killed = True
        spool.close()
        spool = Spool(folder)
        if accepted:  # what was not is the sender's, who has no reply
            life(spool, delivered, accepted, answers)
            name = spool_name("1")
            assert {path for path, _ in delivered} == {f"{name}.sr.dcm"}, last
            assert len(set(delivered)) == 1, f"killed before call {last}: delivered again, it is another object"
            assert files(spool) == {}, last
        spool.close()
        if not killed:
            break
    assert 10 < last < 199
