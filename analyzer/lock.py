"""One writer or many readers for a store, across processes, with the holder's name for those who wait."""

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from analyzer.errors import StoreBusy

_RETRY_SECONDS = 0.2


@contextmanager
def store_lock(path: Path, *, write: bool, on_wait: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock file at `path`, waiting for whoever holds it.

    `on_wait` is told once who that is. The lock goes with the process, so a killed one holds nothing.
    Raises StoreBusy when the file cannot be locked at all.
    """
    flags = os.O_RDWR | os.O_CREAT if write else os.O_RDONLY
    try:
        handle = os.open(path, flags, 0o600)
    except OSError as error:
        raise StoreBusy(f"{path}: cannot be locked ({error.strerror}); check the permissions") from None
    try:
        _acquire(handle, fcntl.LOCK_EX if write else fcntl.LOCK_SH, on_wait)
        if write:
            os.ftruncate(handle, 0)
            os.pwrite(handle, json.dumps({"pid": os.getpid()}).encode(), 0)
        yield
    finally:
        os.close(handle)


def _acquire(handle: int, operation: int, on_wait: Callable[[str], None]) -> None:
    told = False
    while True:
        try:
            fcntl.flock(handle, operation | fcntl.LOCK_NB)
        except BlockingIOError:
            if not told:
                on_wait(_holder(handle))
                told = True
            time.sleep(_RETRY_SECONDS)
        else:
            return


def _holder(handle: int) -> str:
    try:
        pid = int(json.loads(os.pread(handle, 100, 0))["pid"])
    except (ValueError, KeyError, TypeError):
        return "another process"
    return f"process {pid}"
