"""The balance sheet: everything seen is accounted for, or the run fails."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from analyzer.errors import BalanceError


@dataclass(frozen=True, slots=True)
class FileBalance:
    """Files by what became of them. Members of archives count as files."""

    seen: int = 0
    ingested: int = 0
    unchanged: int = 0
    skipped: int = 0
    rejected: int = 0


@dataclass(frozen=True, slots=True)
class RecordBalance:
    """Records by what became of them. `duplicate`: the event was in the store already."""

    seen: int = 0
    kept: int = 0
    duplicate: int = 0
    skipped: int = 0
    rejected: int = 0


@dataclass(frozen=True, slots=True)
class Balance:
    """Files and records of one run, or of all that a store holds, with the reasons for what was left out.

    The reasons map a code (`data_event`, `truncated_gzip`, …) to a count.
    """

    files: FileBalance = FileBalance()
    records: RecordBalance = RecordBalance()
    files_skipped: Mapping[str, int] = field(default_factory=dict)
    files_rejected: Mapping[str, int] = field(default_factory=dict)
    records_skipped: Mapping[str, int] = field(default_factory=dict)
    records_rejected: Mapping[str, int] = field(default_factory=dict)

    def check(self) -> None:
        """Raise BalanceError unless both sums add up and every skip and rejection has its reason."""
        f, r = self.files, self.records
        sums = {
            "files seen": (f.seen, f.ingested + f.unchanged + f.skipped + f.rejected),
            "records seen": (r.seen, r.kept + r.duplicate + r.skipped + r.rejected),
            "files skipped": (f.skipped, sum(self.files_skipped.values())),
            "files rejected": (f.rejected, sum(self.files_rejected.values())),
            "records skipped": (r.skipped, sum(self.records_skipped.values())),
            "records rejected": (r.rejected, sum(self.records_rejected.values())),
        }
        for what, (left, right) in sums.items():
            if left != right:
                raise BalanceError(
                    f"the balance sheet does not add up: {left} {what}, {right} accounted for; "
                    "no result is shown; please report this with the command you ran"
                )
