"""Which use is accepted: the callers of each endpoint against the exceptions that count.

An endpoint's use is accepted only if every caller's is: one caller whom nobody reviewed is a finding.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from analyzer.exceptions_file import GLOBAL, Exemption, Exemptions
from analyzer.usage import Endpoint, EndpointCaller

EndpointPlace = tuple[str, Endpoint, str | None, str | None]
"""Account, endpoint, region and serving region, as a usage row has them."""


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What exceptions say of one endpoint, for one account.

    `exemptions`: those that accept at least one of its callers. `all_callers`: whether they accept every one, of
    issuing and failed calls. `customers`: every caller of issuing calls that is no AWS service. `refused`: every
    caller that got a RegionDisabledException. Nobody is not everybody: without such a caller each is False.
    """

    exemptions: tuple[Exemption, ...] = ()
    all_callers: bool = False
    customers: bool = False
    refused: bool = False

    def to_json(self) -> dict[str, Any]:
        """The marks of a row."""
        return {
            "excepted": self.all_callers,
            "exceptions": [exemption.to_json() for exemption in self.exemptions],
        }


NOT_ACCEPTED = Acceptance()
"""No exception is about it."""


def accept(callers: Iterable[EndpointCaller], exemptions: Exemptions) -> Mapping[EndpointPlace, Acceptance]:
    """What the exceptions that count say of each endpoint; endpoints that none is about are left out."""
    places: dict[EndpointPlace, list[tuple[EndpointCaller, tuple[Exemption, ...]]]] = {}
    for caller in callers:
        region = GLOBAL if caller.endpoint is Endpoint.GLOBAL else caller.region
        covering = exemptions.covering(caller.account_id, region, caller.principal)
        place = caller.account_id, caller.endpoint, caller.region, caller.serving_region
        places.setdefault(place, []).append((caller, covering))
    found = {place: _acceptance(matched, exemptions) for place, matched in places.items()}
    return {place: acceptance for place, acceptance in found.items() if acceptance.exemptions}


def _acceptance(matched: list[tuple[EndpointCaller, tuple[Exemption, ...]]], exemptions: Exemptions) -> Acceptance:
    used = {exemption for _, covering in matched for exemption in covering}
    customers = [bool(found) for caller, found in matched if caller.issuing_calls > caller.service_calls]
    refused = [bool(found) for caller, found in matched if caller.region_disabled_errors]
    return Acceptance(
        exemptions=tuple(exemption for exemption in exemptions.counting if exemption in used),
        all_callers=all(found for _, found in matched),
        customers=bool(customers) and all(customers),
        refused=bool(refused) and all(refused),
    )
