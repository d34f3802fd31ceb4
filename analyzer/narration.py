"""What long work has to say while it runs: injected, so that the core knows no terminal."""

from typing import Protocol

from analyzer.decoding import Reading


class Narrator(Protocol):
    """Hears how far ingest is and which input was not taken as it stands."""

    def start(self, files: int, size: int) -> None:
        """So many files, so many bytes, are going to be read."""

    def advance(self, files: int, size: int, records: int) -> None:
        """So many more have been read."""

    def finish(self) -> None:
        """Nothing more is going to be read."""

    def finding(self, name: str, reading: Reading, *, is_known: bool = False) -> None:
        """Something in the named document was rejected or mended; `is_known`: by an earlier run."""

    def waiting(self, holder: str) -> None:
        """The store is held by somebody else."""

    def remark(self, text: str) -> None:
        """Something is worth a line: what was left out, or not allowed and not needed."""


class Silence:
    """Nobody listens."""

    def start(self, files: int, size: int) -> None:
        """Nothing."""

    def advance(self, files: int, size: int, records: int) -> None:
        """Nothing."""

    def finish(self) -> None:
        """Nothing."""

    def finding(self, name: str, reading: Reading, *, is_known: bool = False) -> None:
        """Nothing."""

    def waiting(self, holder: str) -> None:
        """Nothing."""

    def remark(self, text: str) -> None:
        """Nothing."""
