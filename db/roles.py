"""Defines the five roles of a site. Their names share a prefix, because all databases of a server share its roles."""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    OWNER = "owner"  # owns every object; nobody logs in as this role
    GATEWAY = "gateway"  # logs in over the loopback connection and requests the encoding of queries
    ENCODER = "encoder"  # reads the work list and stores vectors
    APP = "app"  # loads products and serves web requests
    ANALYST = "analyst"  # reads and searches


@dataclass(frozen=True)
class Roles:
    prefix: str

    def __getitem__(self, role: Role) -> str:
        return self.prefix + role

    @property
    def owner(self) -> str:
        return self[Role.OWNER]

    @property
    def gateway(self) -> str:
        return self[Role.GATEWAY]

    @property
    def analyst(self) -> str:
        return self[Role.ANALYST]

    @property
    def all(self) -> list[str]:
        return [self[role] for role in Role]

    def by_word(self) -> dict[str, str]:
        """Return the role name for each placeholder of a function file: `{"owner": "shop_owner", ...}`."""
        return {str(role): self[role] for role in Role}
