# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The results of very many images as Parquet parts, which say what is done when a run starts again."""

from __future__ import annotations

import io
import json
import os
import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from monai_gu2net.evaluation import result_columns, result_table
from monai_gu2net.files import remove_half_written, writable_folder, write_durably
from monai_gu2net.files.places import file_system, is_uri, local_path

__all__ = ["ResultParts", "result_block", "result_schema"]

LANDMARKS, FAILURES = "landmarks", "failures"
_RUN = "run.json"
_FAILURE = pa.schema([(name, pa.string()) for name in ("case", "domain", "reason")])


def result_schema(axes: str = "xy") -> pa.Schema:
    """The schema of every part of landmarks: all columns of :func:`~monai_gu2net.evaluation.result_columns`.

    pandas reads their text as "string".
    """
    columns = result_columns(axes)
    empty = pd.DataFrame({name: pd.Series(dtype="string" if kind is str else float) for name, kind in columns.items()})
    kinds = [(name, pa.string() if kind is str else pa.float64()) for name, kind in columns.items()]
    return pa.schema(kinds, metadata=pa.Schema.from_pandas(empty, preserve_index=False).metadata)


def result_block(
    rows: Sequence[Mapping[str, Any]], failures: Sequence[Mapping[str, str]], *, schema: pa.Schema
) -> pa.Table:
    """Result rows and failures in one table, whose column ``reason`` is null for the rows."""
    both = schema.append(_FAILURE.field("reason"))
    tables = [pa.Table.from_pylist([dict(failure) for failure in failures], schema=both)]
    if rows:
        # as in result_table, but with every column, for all parts are to have the same
        table = result_table(rows)
        table = table.assign(domain_doubt=table.get("domain_doubt", "")).reindex(columns=schema.names)
        found = pa.Table.from_pandas(table, schema=schema, preserve_index=False)
        tables.insert(0, found.append_column(both.field("reason"), pa.nulls(len(found), pa.string())))
    return pa.concat_tables(table.replace_schema_metadata() for table in tables)


class ResultParts:
    """A folder with ``landmarks/part-*.parquet``, ``failures/part-*.parquet`` and ``run.json``.

    A part is written whole, by one process, and each image is in one part, with all its landmarks or with the reason
    why it failed: so the parts say what is done. A context manager: as long as it is open no other process of the
    machine can open the same local folder.

    Args:
        folder: a path, or a URI that fsspec knows.
        schema: of the landmarks.

    Raises:
        OSError: the folder does not take files, or another run has it.
    """

    def __init__(self, folder: str | os.PathLike[str], *, schema: pa.Schema) -> None:
        self.folder, self.schema = os.fspath(folder), schema
        self._system: Any = None
        self._lock: FileLock | None = None
        if is_uri(self.folder):
            self._system, self._root = file_system(self.folder)
            return
        path = writable_folder(local_path(self.folder))
        self._root = str(path)
        self._lock = FileLock(path / ".lock", thread_local=False)
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise OSError(
                f"The folder of the results must belong to one run; got {self.folder!r}, which another one has. "
                "Wait for it, stop it, or choose another folder."
            ) from None
        for kind in (LANDMARKS, FAILURES):
            remove_half_written(path / kind)

    @property
    def is_local(self) -> bool:
        """Whether the folder is one of this machine's file system."""
        return self._system is None

    def __enter__(self) -> ResultParts:
        return self

    def __exit__(self, *error: object) -> None:
        if self._lock is not None:
            self._lock.release()

    def begin(self, run: Mapping[str, Any]) -> None:
        """Note what the results are of, or see that what is there already is of the same.

        Args:
            run: model and options, as JSON.

        Raises:
            ValueError: the results there are of another model or of other options.
        """
        run = json.loads(json.dumps(run))
        try:
            earlier = json.loads(self._read(_RUN))
        except FileNotFoundError:
            if self._parts(LANDMARKS) or self._parts(FAILURES):
                raise ValueError(
                    f"A folder with results must have the {_RUN} that says of which model; got none in "
                    f"{self.folder!r}. Choose another folder."
                ) from None
            self._write(_RUN, (json.dumps(run, indent=1) + "\n").encode())
            return
        except ValueError as error:
            raise ValueError(f"{self.folder}/{_RUN} must be JSON; got {error}. Choose another folder.") from error
        other = sorted(key for key in {*run, *earlier} if run.get(key) != earlier.get(key))
        if other:
            raise ValueError(
                f"The results in one folder must be of one model and the same options; got "
                f"{', '.join(f'{key} {run.get(key)!r} and there {earlier.get(key)!r}' for key in other)} "
                f"({self.folder}/{_RUN}). Choose another folder, or the same options."
            )

    def finished(self) -> tuple[pa.ChunkedArray, int]:
        """The images that are in a part, of those that failed too, and the number of the latter.

        Raises:
            ValueError: a part is damaged or of another schema.
        """
        cases, failed = [], 0
        for kind, schema in ((LANDMARKS, self.schema), (FAILURES, _FAILURE)):
            for name in self._parts(kind):
                try:
                    file = pq.ParquetFile(pa.BufferReader(self._read(name)))
                    if file.schema_arrow.names != schema.names:
                        raise ValueError(f"columns {file.schema_arrow.names}")
                    column = file.read(columns=["case"])["case"]
                except (ValueError, OSError) as error:  # pyarrow's own errors are of these
                    raise ValueError(
                        f"{self.folder}/{name} must be a whole part of such results; got {error}. "
                        "Take it out; its images are done again."
                    ) from error
                cases.append(pc.unique(column).cast(pa.large_string()))
                failed += len(cases[-1]) if kind == FAILURES else 0
        return pa.chunked_array(cases, pa.large_string()), failed

    def forget_failures(self) -> None:
        """Remove the parts of failures, whose images are then not done."""
        for name in self._parts(FAILURES):
            if self._system is None:
                Path(self._root, name).unlink()
            else:
                self._system.rm_file(f"{self._root}/{name}")

    def write(self, blocks: Iterable[pa.Table]) -> None:
        """Write one part of landmarks and one of failures, where there are any.

        Args:
            blocks: as :func:`result_block` gives them, of images that are in no part.
        """
        together = pa.concat_tables(blocks)
        found = pc.is_null(together["reason"])
        name = f"part-{uuid.uuid4().hex}.parquet"
        for kind, schema, chosen in ((FAILURES, _FAILURE, pc.invert(found)), (LANDMARKS, self.schema, found)):
            table = together.filter(chosen).select(schema.names).cast(schema)
            if len(table):
                content = io.BytesIO()
                pq.write_table(table, content)
                self._write(f"{kind}/{name}", content.getvalue())

    def _parts(self, kind: str) -> list[str]:
        """Names of the parts of a kind in the folder."""
        names: Iterable[str] = ()
        if self._system is None:
            names = (path.name for path in Path(self._root, kind).glob("part-*.parquet"))
        else:
            with suppress(FileNotFoundError):
                self._system.invalidate_cache()
                names = (str(name).rpartition("/")[2] for name in self._system.ls(f"{self._root}/{kind}", detail=False))
        return sorted(f"{kind}/{name}" for name in names if name.startswith("part-") and name.endswith(".parquet"))

    def _read(self, name: str) -> bytes:
        if self._system is None:
            return Path(self._root, name).read_bytes()
        return bytes(self._system.cat_file(f"{self._root}/{name}"))

    def _write(self, name: str, content: bytes) -> None:
        if self._system is None:
            path = Path(self._root, name)
            path.parent.mkdir(exist_ok=True)
            write_durably(path, content, mode=0o666)  # less what the umask takes
        else:
            self._system.makedirs(f"{self._root}/{name}".rpartition("/")[0], exist_ok=True)
            self._system.pipe_file(f"{self._root}/{name}", content)  # an object is there whole or not at all
