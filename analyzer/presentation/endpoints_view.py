"""The catalogue of STS endpoints as rows."""

from collections.abc import Sequence

from analyzer.catalogue import Region, Toggle
from analyzer.presentation.output import Answer, Styled, Table

_WORDS = {
    Toggle.YES: "yes",
    Toggle.NOT_TOGGLEABLE: "no: always active",
    Toggle.OPT_IN_REGION: "no: follows the opt-in region",
    Toggle.UNCONFIRMED: "unconfirmed: AWS documents nothing for this partition",
    Toggle.UNKNOWN: "unknown to the catalogue",
}
_BY_DEFAULT = {True: "opt-in", False: "enabled", None: "unconfirmed"}


def endpoints_answer(regions: Sequence[Region]) -> Answer:
    """Region, name, hosts, and whether the endpoint can be deactivated or why not."""
    records = [
        {
            "partition": region.partition,
            "region": region.code,
            "name": region.name,
            "endpoint": region.endpoint,
            "fips_endpoint": region.fips_endpoint,
            "dualstack_endpoint": region.dualstack_endpoint,
            "by_default": _BY_DEFAULT[region.is_opt_in],
            "can_deactivate": _WORDS[region.toggle],
            "toggle": region.toggle.value,
            "source": region.source,
        }
        for region in regions
    ]
    columns = (
        "partition", "region", "name", "endpoint", "fips_endpoint", "dualstack_endpoint", "by_default",
        "can_deactivate", "toggle", "source",
    )  # fmt: skip
    shown = columns[:-2]
    view = [[_shown(record, column) for column in shown] for record in records]
    return Answer(
        data=records,
        table=Table(columns, [[record[column] for column in columns] for record in records]),
        view=Table(shown, view),
    )


def _shown(record: dict[str, str | None], column: str) -> str | Styled | None:
    text = record[column]
    if column == "can_deactivate" and record["toggle"] == Toggle.YES:
        return Styled(text or "", "green")
    return text
