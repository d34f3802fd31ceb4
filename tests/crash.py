"""A crash inside this process, as far as a test can tell: what comes after it does not happen."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from analyzer.store import Store


class Crash(BaseException):
    """The process ends here."""


def dies(original: Callable[..., Any], at: int) -> Callable[..., Any]:
    """A function that ends the process at its n-th call, before it does anything."""
    calls = 0

    def call(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == at:
            raise Crash
        return original(*arguments, **named)

    return call


@contextmanager
def never_commits(self: Store) -> Iterator[None]:
    """A ledger transaction that ends the process instead of being committed."""
    self._connection.begin()
    yield
    self._connection.rollback()
    raise Crash
