"""What to say when the store's files or its database fail: whether the disk, memory or the store is to blame."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from analyzer.duckdb_errors import first_line, is_of_machine, is_out_of_memory
from analyzer.errors import StoreError


def failed(path: Path, error: Exception, otherwise: str) -> Exception:
    """What to raise for a failure of DuckDB; `otherwise`: when neither memory nor disk is to blame."""
    if is_out_of_memory(error):
        return MemoryError()
    if is_of_machine(error):
        return _unusable(path, first_line(error))
    return StoreError(f"{path}: {otherwise.format(first_line(error))}")


def _unusable(path: Path, why: str) -> StoreError:
    return StoreError(
        f"{path}: cannot be read or written ({why}); mend that and run again, nothing committed is lost"
    )


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Name a file or folder of the store with which something goes wrong, which the operating system does not."""
    try:
        yield
    except OSError as error:
        raise _unusable(path, error.strerror or str(error)) from None
