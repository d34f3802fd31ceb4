"""What reading a source would take, told from its listing before anything is read."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from analyzer.sources.source import Listed, SourceObject, Unreadable

GET_PRICE = 0.0004
"""US dollars for 1,000 GET requests to S3 Standard in us-east-1 (Amazon S3 pricing); elsewhere a little more."""


@dataclass(frozen=True, slots=True)
class Share:
    """The objects of one account, region and kind of folder; all three are empty for keys that tell nothing."""

    account_id: str
    region: str
    folder: str
    objects: int
    size: int
    """Bytes as they lie in the source."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What would be read, and what would not."""

    shares: Sequence[Share]
    """By account, region and folder, sorted."""
    settled: int
    """Objects that are known from an earlier run and are not read again."""
    unreadable: Sequence[Unreadable]
    """What could not be listed: more may lie there."""

    @property
    def objects(self) -> int:
        """Objects to read: one GET request each, if none has to be repeated and none is an archive."""
        return sum(share.objects for share in self.shares)

    @property
    def size(self) -> int:
        """Bytes to read."""
        return sum(share.size for share in self.shares)

    def cost(self, price: float = GET_PRICE) -> float:
        """What the GET requests cost; `price` is that of 1,000. Data that leaves AWS's network costs extra."""
        return self.objects * price / 1000


def estimate(listed: Iterable[Listed], is_settled: Callable[[SourceObject], bool]) -> Estimate:
    """Add up a listing. `is_settled`: whether the ledger knows an object, so that it is not read again."""
    sums: dict[tuple[str, str, str], list[int]] = {}
    unreadable: list[Unreadable] = []
    settled = 0
    for entry in listed:
        if isinstance(entry, Unreadable):
            unreadable.append(entry)
        elif is_settled(entry):
            settled += 1
        else:
            key = entry.log_key
            place = (key.account_id, key.region, key.folder) if key else ("", "", "")
            total = sums.setdefault(place, [0, 0])
            total[0] += 1
            total[1] += entry.size
    shares = [Share(*place, *total) for place, total in sorted(sums.items())]
    return Estimate(shares, settled, unreadable)
