# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
import logging
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from monai_gu2net.dicom.silence import silent_pydicom

NAMES = ("pydicom", "pydicom.pixels.utils", "highdicom.sr.content")


class Kept(logging.Handler):
    """A handler that keeps what reaches it."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


@pytest.fixture
def kept() -> Iterator[Kept]:
    handler = Kept()
    levels = {name: logging.getLogger(name).level for name in NAMES}
    logging.getLogger().addHandler(handler)
    for name in NAMES:
        logging.getLogger(name).setLevel(logging.DEBUG)
    yield handler
    logging.getLogger().removeHandler(handler)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def say(text: str) -> None:
    for name in NAMES:
        logging.getLogger(name).error(text)
    warnings.warn(text, UserWarning, stacklevel=2)


def test_inside_nothing_is_said_and_afterwards_all(kept: Kept) -> None:
    usual = warnings.warn
    with silent_pydicom():
        say("Doe^Jane")
        with silent_pydicom():
            say("Doe^Jane")
        say("Doe^Jane")
    assert kept.messages == []
    assert warnings.warn is usual
    with pytest.warns(UserWarning, match="^now$") as warned:
        say("now")
    assert kept.messages == ["now"] * len(NAMES)
    assert warned[0].filename == __file__


def test_an_exception_ends_the_silence(kept: Kept) -> None:
    usual = warnings.warn
    with pytest.raises(RuntimeError, match="broken"), silent_pydicom():
        raise RuntimeError("broken")
    logging.getLogger("pydicom").error("now")
    assert kept.messages == ["now"]
    assert warnings.warn is usual


def test_levels_and_filters_stay_as_they_were(kept: Kept) -> None:
    before = list(warnings.filters), [logging.getLogger(name).level for name in NAMES]
    with silent_pydicom():
        assert (list(warnings.filters), [logging.getLogger(name).level for name in NAMES]) == before
    assert (list(warnings.filters), [logging.getLogger(name).level for name in NAMES]) == before


def test_a_logger_made_since_is_silent_at_the_next_time(kept: Kept) -> None:
    with silent_pydicom():
        pass
    late = logging.getLogger("pydicom.made_late")
    with silent_pydicom():
        late.error("Doe^Jane")
    late.error("now")
    assert kept.messages == ["now"]


def test_a_thread_that_leaves_does_not_end_the_silence_of_another(kept: Kept) -> None:
    entered, left = threading.Event(), threading.Event()

    def first() -> None:
        with silent_pydicom():
            entered.set()
            assert left.wait(30)
            say("Doe^Jane")

    thread = threading.Thread(target=first)
    thread.start()
    assert entered.wait(30)
    with silent_pydicom():
        pass
    with pytest.warns(UserWarning, match="of this thread") as warned:
        say("of this thread")
    assert warned[0].filename == __file__
    left.set()
    thread.join()
    assert kept.messages == ["of this thread"] * len(NAMES)


def test_many_threads_say_nothing_inside_and_all_outside_whatever_others_do_to_the_filters(kept: Kept) -> None:
    """catch_warnings of other threads exchanges the filters of all."""
    usual, filters = warnings.warn, list(warnings.filters)
    ended, raised = threading.Event(), []

    def meddle() -> None:
        while not ended.is_set():
            with warnings.catch_warnings():
                warnings.simplefilter("error")

    def work(number: int) -> None:
        try:
            for _ in range(200):
                with silent_pydicom():
                    warnings.warn("Doe^Jane", UserWarning, stacklevel=1)
                    logging.getLogger("pydicom").error("Doe^Jane")
                    with silent_pydicom():
                        logging.getLogger("pydicom.pixels.utils").error("Doe^Jane")
                logging.getLogger("pydicom").error("%d", number)
        except BaseException as error:
            raised.append(error)

    meddler = threading.Thread(target=meddle)
    workers = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in (meddler, *workers):
        thread.start()
    for thread in workers:
        thread.join()
    ended.set()
    meddler.join()
    assert raised == []
    assert sorted(kept.messages) == sorted(str(number) for number in range(8) for _ in range(200))
    assert warnings.warn is usual
    assert list(warnings.filters) == filters


def test_silence_is_of_one_task_of_a_thread(kept: Kept) -> None:
    async def quiet(entered: asyncio.Event, go_on: asyncio.Event) -> None:
        with silent_pydicom():
            entered.set()
            await go_on.wait()
            logging.getLogger("pydicom").error("Doe^Jane")

    async def both() -> None:
        entered, go_on = asyncio.Event(), asyncio.Event()
        task = asyncio.create_task(quiet(entered, go_on))
        await entered.wait()
        logging.getLogger("pydicom").error("outside")
        go_on.set()
        await task

    asyncio.run(both())
    assert kept.messages == ["outside"]


@pytest.mark.parametrize("level", [1, 2])
def test_a_warning_of_another_thread_names_the_line_that_it_would_name(level: int) -> None:
    """Where one thread is inside, the others' warnings pass through."""
    entered, ended = threading.Event(), threading.Event()

    def inside() -> None:
        with silent_pydicom():
            entered.set()
            ended.wait(30)

    def warn() -> None:
        warnings.warn("text", UserWarning, stacklevel=level)

    def lines() -> tuple[str, int]:
        with pytest.warns(UserWarning, match="^text$") as warned:
            warn()
        return warned[0].filename, warned[0].lineno

    expected = lines()
    thread = threading.Thread(target=inside)
    thread.start()
    assert entered.wait(30)
    try:
        assert lines() == expected
    finally:
        ended.set()
        thread.join()


def test_somebody_elses_wrapper_of_warn_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    usual = warnings.warn
    with silent_pydicom():
        within = warnings.warn
        monkeypatch.setattr(warnings, "warn", lambda text, *rest, **more: said.append(text) or within(text, *rest))
    with pytest.warns(UserWarning, match="now"):
        warnings.warn("now", UserWarning, 1)
    assert said == ["now"]
    monkeypatch.undo()
    with silent_pydicom():
        pass
    warnings.warn = usual


def test_files_read_in_threads_do_not_say_whom_they_are_of(tmp_path: Path, kept: Kept) -> None:
    """The value of a tag that pydicom warns of, in as many threads as files."""
    from dicom_files import make_dicom, picture

    from monai_gu2net.dicom import read_header

    paths = [make_dicom(tmp_path / f"{n}.dcm", picture(), PatientBirthDate=b"Doe^Jane") for n in range(6)]
    raised: list[BaseException] = []

    def read(path: Path) -> None:
        try:
            for _ in range(10):
                read_header(path)
        except BaseException as error:
            raised.append(error)

    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        threads = [threading.Thread(target=read, args=(path,)) for path in paths]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert (raised, kept.messages, warned) == ([], [], [])
