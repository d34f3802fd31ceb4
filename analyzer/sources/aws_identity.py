"""Who asks AWS: sessions, clients and their account, all of it botocore's business as in the AWS CLI."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from analyzer.errors import SourceError
from analyzer.version import __version__

if TYPE_CHECKING:
    from botocore.session import Session


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks, and where. What is None is left to the environment and the AWS configuration."""

    profile: str | None = None
    endpoint_url: str | None = None


@dataclass(frozen=True, slots=True)
class Caller:
    """The account and partition of the credentials in use."""

    account_id: str
    partition: str


_ATTEMPTS = 5


class AwsSession:
    """Clients of one identity. botocore is loaded when the first one is made."""

    def __init__(self, identity: Identity | None = None) -> None:
        self._identity = identity or Identity()
        self._session: Session | None = None

    def client(self, service: str, region: str, attempts: int = _ATTEMPTS) -> Any:
        """A client of a service in a region. Raises SourceError without credentials or with a wrong profile.

        `attempts`: how often botocore makes a request at most, with pauses that grow.
        """
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError
        from botocore.session import Session

        config = Config(
            retries={"mode": "standard", "total_max_attempts": attempts},
            user_agent_extra=f"sts-regions/{__version__}",
            connect_timeout=10,
            read_timeout=60,
        )
        try:
            if self._session is None:
                self._session = Session(profile=self._identity.profile)
                if self._session.get_credentials() is None:
                    raise SourceError("AWS: no credentials were found; sign in, or name a profile with --profile")
            return self._session.create_client(
                service, region_name=region, endpoint_url=self._identity.endpoint_url, config=config
            )
        except BotoCoreError as error:
            raise SourceError(f"AWS: {error}; check credentials, profile and endpoint") from None

    @property
    def region(self) -> str:
        """The configured region, else us-east-1."""
        from botocore.exceptions import BotoCoreError
        from botocore.session import Session

        try:
            region = Session(profile=self._identity.profile).get_config_variable("region")
        except BotoCoreError as error:
            raise SourceError(f"AWS: {error}; check the profile") from None
        return str(region or "us-east-1")

    def caller(self) -> Caller:
        """Whose credentials these are (sts:GetCallerIdentity, which needs no permission). Raises SourceError."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            told = self.client("sts", self.region).get_caller_identity()
        except (BotoCoreError, ClientError) as error:
            raise SourceError(f"AWS: {error}; sign in again, or check --profile") from None
        return Caller(str(told["Account"]), str(told["Arn"]).split(":")[1])
