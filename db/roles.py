"""The five roles of a site. Their names share a prefix, because roles belong to the whole server."""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    OWNER = "owner"  # owns every object; nobody logs in as this role
    GATEWAY = "gateway"  # the loopback connection that requests the encoding of queries
    ENCODER = "encoder"
    APP = "app"  # loader and web
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
        """Return the name that replaces each role's word in a function file: `{"owner": "shop_owner", ...}`."""
        return {str(role): self[role] for role in Role}
