# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import errno
import itertools
import json
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from monai_gu2net.connections import (
    DeferredError,
    FolderDestination,
    NoAnswerError,
    RefusedError,
    Spool,
    UnreachableError,
    Worker,
)


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    spool = Spool(tmp_path / "spool")
    yield spool
    spool.close()


def copy(image: Path, folder: Path) -> None:
    """Answers with the image's content."""
    (folder / f"{image.stem}.sr.dcm").write_bytes(image.read_bytes())


class Memory:
    """A destination that is away for some deliveries, or refuses some content."""

    def __init__(self, away: int = 0, refused: bytes = b"refused") -> None:
        self.taken: list[bytes] = []
        self.away, self.refused = away, refused

    def deliver(self, files: Sequence[Path]) -> None:
        if self.away:
            self.away -= 1
            raise UnreachableError("The destination must be there; it is away.")
        for path in files:
            if path.read_bytes() == self.refused:
                raise RefusedError("The destination must store this; it replied 0xA900.")
            self.taken.append(path.read_bytes())


@contextmanager
def working(spool: Spool, answer: Callable[[Path, Path], None], destination: object) -> Iterator[Worker]:
    worker = Worker(spool, answer, destination, retry_s=(0.01, 0.02))
    worker.start()
    try:
        yield worker
    finally:
        worker.stop(10)
        assert not worker.is_alive()


def wait_until(condition: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.005)


def reasons(spool: Spool) -> list[str]:
    return [json.loads(path.read_text())["reason"] for path in spool.failed.glob("*.json")]


def test_each_image_is_answered_once_those_from_before_too(spool: Spool) -> None:
    contents = [str(number).encode() for number in range(20)]
    for content in contents[:10]:
        spool.accept(content.decode(), content)
    memory = Memory()
    with working(spool, copy, memory):
        for content in contents[10:]:
            spool.accept(content.decode(), content)
        wait_until(lambda: len(spool) == 0)
    assert sorted(memory.taken) == sorted(contents)


def test_while_the_destination_is_away_images_are_answered_and_the_answers_wait(
    spool: Spool, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(3):
        spool.accept(str(number), str(number).encode())
    memory = Memory(away=10**9)
    with working(spool, copy, memory):
        wait_until(lambda: len(spool.undelivered()) == 3)
        assert len(spool) == 3
        assert memory.taken == []
        wait_until(lambda: "Trying again in 0.02 s" in caplog.text)
        memory.away = 0
        wait_until(lambda: len(spool) == 0)
    assert sorted(memory.taken) == [b"0", b"1", b"2"]
    assert "The destination must be there; it is away. Trying again in 0.01 s" in caplog.text


def test_an_answer_that_cannot_be_delivered_does_not_hold_up_the_others(
    spool: Spool, caplog: pytest.LogCaptureFixture
) -> None:
    class Damaged(Memory):
        def deliver(self, files: Sequence[Path]) -> None:
            if files[0].read_bytes() == b"damaged":
                raise EOFError("Kryptonym")
            super().deliver(files)

    for content in (b"damaged", b"good"):
        spool.accept(content.decode(), content)
    memory = Damaged()
    with working(spool, copy, memory):
        wait_until(lambda: memory.taken == [b"good"] and "got EOFError" in caplog.text)
        wait_until(lambda: len(spool) == 1)  # which is tried again
    assert "Kryptonym" not in caplog.text


def test_an_image_without_an_answer_fails_and_the_others_go_on(spool: Spool) -> None:
    def answer(image: Path, folder: Path) -> None:
        if image.read_bytes() == b"bad":
            raise NoAnswerError("it is bad")
        if image.read_bytes() != b"none":
            copy(image, folder)

    for content in (b"bad", b"none", b"good"):
        spool.accept(content.decode(), content)
    memory = Memory()
    with working(spool, answer, memory):
        wait_until(lambda: len(spool) == 0)
    assert memory.taken == [b"good"]
    assert sorted(reasons(spool)) == ["it is bad", "no answer was written"]


def test_what_the_destination_refuses_fails_and_the_others_go_on(spool: Spool) -> None:
    for content in (b"refused", b"good"):
        spool.accept(content.decode(), content)
    memory = Memory()
    with working(spool, copy, memory):
        wait_until(lambda: len(spool) == 0)
    assert memory.taken == [b"good"]
    assert reasons(spool) == ["The destination must store this; it replied 0xA900."]


class Picky(Memory):
    """A destination that does not take some content for some deliveries, and notes when it was asked to."""

    def __init__(self, deferred: bytes, times: int) -> None:
        super().__init__()
        self.deferred, self.times, self.asked = deferred, times, []

    def deliver(self, files: Sequence[Path]) -> None:
        if self.times and files[0].read_bytes() == self.deferred:
            self.times -= 1
            self.asked.append(time.monotonic())
            raise DeferredError("The destination must store this; it replied 0x0110.")
        super().deliver(files)


def test_what_the_destination_does_not_take_now_waits_alone_and_is_tried_again(
    spool: Spool, caplog: pytest.LogCaptureFixture
) -> None:
    contents = [b"late", *(str(number).encode() for number in range(5))]
    for content in contents:
        spool.accept(content.decode(), content)
    picky = Picky(b"late", 10**9)
    with working(spool, copy, picky):
        wait_until(lambda: len(spool) == 1)
        assert sorted(picky.taken) == sorted(contents[1:])
        spool.accept("new", b"new")  # nor does it hold up what comes later
        wait_until(lambda: picky.taken[-1] == b"new")
        wait_until(lambda: "it replied 0x0110. Trying again in 0.02 s" in caplog.text)
        picky.times = 0
        wait_until(lambda: len(spool) == 0)
    assert picky.taken[-1] == b"late"
    assert reasons(spool) == []
    # at most once a pause, less what the clock rounds off
    assert min(after - before for before, after in itertools.pairwise(picky.asked)) >= 0.0099


def test_a_disk_that_is_full_while_answering_is_no_try(spool: Spool) -> None:
    calls: list[bytes] = []

    def answer(image: Path, folder: Path) -> None:
        calls.append(image.read_bytes())
        if len(calls) <= 5:
            raise OSError(errno.ENOSPC, "No space left on device")
        copy(image, folder)

    name = spool.accept("1", b"image")
    memory = Memory()
    with working(spool, answer, memory):
        wait_until(lambda: len(calls) >= 2)
        assert (spool.work / f"{name}.dcm").exists()
        assert not (spool.work / f"{name}.tries").exists()
        wait_until(lambda: len(spool) == 0)
    assert memory.taken == [b"image"]
    assert len(calls) == 6
    assert reasons(spool) == []


def test_a_surprise_is_tried_three_times_and_its_words_are_kept_to_itself(
    spool: Spool, caplog: pytest.LogCaptureFixture
) -> None:
    calls = {b"always": 0, b"once": 0}

    def answer(image: Path, folder: Path) -> None:
        content = image.read_bytes()
        calls[content] += 1
        if content == b"always" or calls[content] == 1:
            raise RuntimeError("Miller^Anna")
        copy(image, folder)

    for content in calls:
        spool.accept(content.decode(), content)
    memory = Memory()
    with caplog.at_level(logging.INFO), working(spool, answer, memory):
        wait_until(lambda: len(spool) == 0)
    assert calls == {b"always": 3, b"once": 2}
    assert memory.taken == [b"once"]
    assert reasons(spool) == ["three tries ended with RuntimeError"]
    assert "RuntimeError" in caplog.text
    assert "Miller" not in caplog.text


def test_a_disk_that_is_full_for_a_while_loses_nothing(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    spool.accept("1", b"image")
    memory, full = Memory(), [2]
    fail = Spool.fail

    def failing(self: Spool, name: str, reason: str) -> None:
        if full[0]:
            full[0] -= 1
            raise OSError("No space left on device")
        fail(self, name, reason)

    def answer(image: Path, folder: Path) -> None:
        raise NoAnswerError("it is bad")

    monkeypatch.setattr(Spool, "fail", failing)
    with working(spool, answer, memory):
        wait_until(lambda: len(spool) == 0)
    assert reasons(spool) == ["it is bad"]


def test_a_stop_lets_the_image_at_hand_be_finished(spool: Spool) -> None:
    started: list[str] = []

    def answer(image: Path, folder: Path) -> None:
        started.append(image.stem)
        time.sleep(0.1)
        copy(image, folder)

    for number in range(3):
        spool.accept(str(number), b"image")
    with working(spool, answer, Memory()):
        wait_until(lambda: bool(started))
    assert len(spool.undelivered()) == len(started) == 1
    assert len(spool) == 3


def test_a_folder_takes_answers_twice_as_once(tmp_path: Path) -> None:
    answer = tmp_path / "a.sr.dcm"
    answer.write_bytes(b"answer")
    destination = FolderDestination(tmp_path / "out")
    for _ in range(2):
        destination.deliver([answer])
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == {"a.sr.dcm": b"answer"}


def test_a_folder_that_is_away_is_tried_again(tmp_path: Path) -> None:
    answer = tmp_path / "a.sr.dcm"
    answer.write_bytes(b"answer")
    destination = FolderDestination(tmp_path / "out")
    (tmp_path / "out").rmdir()
    with pytest.raises(UnreachableError, match="must take them; got: No such file"):
        destination.deliver([answer])
