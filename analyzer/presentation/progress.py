"""The progress line of long work, for terminals only. Imported when there is one: rich takes its time to load."""

import sys

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

_SPEED_PERIOD = 300.0
"""Seconds over which the speed is told: a day of Event history may take a minute."""


class ProgressLine:
    """Files, rate, records and time left, redrawn in place."""

    def __init__(self, files: int, size: int) -> None:
        """`size`: bytes of source that are going to be read."""
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[files]:,}/{task.fields[all_files]:,} files"),
            _Rate(),
            TextColumn("{task.fields[records]:,} records"),
            TimeRemainingColumn(compact=True),
            console=Console(file=sys.stderr, highlight=False, markup=False),
            transient=True,
            speed_estimate_period=_SPEED_PERIOD,
        )
        # Where sizes are not known before, the files themselves tell how far it is.
        self._has_sizes = size > 0
        self._task = self._progress.add_task("reading", total=size or files, files=0, all_files=files, records=0)
        self._progress.start()

    def advance(self, files: int, size: int, records: int) -> None:
        """So many more have been read."""
        fields = self._progress.tasks[0].fields
        self._progress.update(
            self._task,
            advance=size if self._has_sizes else files,
            files=fields["files"] + files,
            records=fields["records"] + records,
        )

    def say(self, text: str) -> None:
        """A line above the progress line; the text is safe already."""
        self._progress.console.print(Text(text), soft_wrap=True)

    def stop(self) -> None:
        """Take the line away."""
        self._progress.stop()


class _Rate(ProgressColumn):
    """Bytes of source read per second."""

    def render(self, task: Task) -> Text:
        return Text(f"{(task.speed or 0) / 1e6:.1f} MB/s")
