"""One writer or many readers for a store, across processes, with the holder's name for those who wait."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from analyzer.errors import StoreBusy, StoreError

_RETRY_SECONDS = 0.2
_LONGEST_NAME = 20
"""Bytes of a holder's name, a process number. A longer file is somebody's, perhaps by a hard link: not emptied."""


@contextmanager
def store_lock(path: Path, *, write: bool, on_wait: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock file at `path`, waiting for whoever holds it.

    `on_wait` is told once who that is. The lock goes with the process, so a killed one holds nothing. A reader
    who may not even create the file reads without: nobody can write there.
    Raises StoreBusy when a writer cannot lock, StoreError when another file is in the lock's place.
    """
    handle = _open(path, write)
    if handle is None:
        yield
        return
    try:
        if os.fstat(handle).st_size > _LONGEST_NAME:
            raise StoreError(f"{path}: is no lock but another file; remove it if it is nothing you need")
        _acquire(handle, fcntl.LOCK_EX if write else fcntl.LOCK_SH, on_wait)
        if write:
            os.ftruncate(handle, 0)
            os.pwrite(handle, str(os.getpid()).encode(), 0)
        try:
            yield
        finally:
            if write:
                os.ftruncate(handle, 0)
    finally:
        os.close(handle)


def _open(path: Path, write: bool) -> int | None:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        if write:
            raise StoreBusy(f"{path}: cannot be locked ({error.strerror}); check the permissions") from None
    try:
        return os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return None


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
    """The writer that holds the store; readers leave no name."""
    text = os.pread(handle, _LONGEST_NAME, 0)
    return f"process {int(text)}" if text.isdigit() and _is_alive(int(text)) else "another process"


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
