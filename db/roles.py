"""Defines the roles of a site. Their names share a prefix, because all databases of a server share its roles.

`owner` owns every object except the functions of signals. The groups `analyst` and `app` give their rights to logins.
None of the three can log in. Every kind of process has its own login, and only the administrator's commands run SET
ROLE. PostgreSQL lets every role change its own password and the defaults of its own sessions. So people do not use the
logins of processes; each person has a login of their own. The web service has two logins.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Role(StrEnum):
    OWNER = "owner"  # owns every object except the functions of signals; cannot log in
    GATEWAY = "gateway"  # logs in over the loopback connection and requests the encoding of queries
    ENCODER = "encoder"  # reads the work list and stores vectors
    APP = "app"  # group: loads and writes products
    ANALYST = "analyst"  # group: reads and searches
    WEB_READER = "web_reader"  # runs the searches and most other reads of the web service
    WEB_WRITER = "web_writer"  # runs the writes and some reads of the web service
    LOADER = "loader"  # runs the commands that write
    JOBS = "jobs"  # loads feeds on a schedule, sends webhooks, and deletes what is too old
    CLI = "cli"  # runs the commands that only read, on the administrator's machine

    @property
    def login(self) -> "Role":
        """The login of a process that needs the rights of this role."""
        return {Role.ANALYST: Role.CLI, Role.APP: Role.LOADER}.get(self, self)


@dataclass(frozen=True)
class LoginRules:
    """The rules of a login. `db upgrade` applies the rules, and `db check` compares the login with them."""

    share: float  # of the server's connections
    group: Role | None = None  # the group whose rights the login has
    settings: Mapping[str, str] = field(default_factory=dict)


# Settings of logins that search. A session can change all of them except temp_file_limit.
READING = {
    "default_transaction_read_only": "on",
    "statement_timeout": "60s",
    "idle_in_transaction_session_timeout": "5min",
    "temp_file_limit": "2GB",
}

# The shares leave a tenth of the connections for people and the administrator. The gateway has the most connections,
# because each session that waits for the vector of a new query uses one of them.
LOGINS = {
    Role.GATEWAY: LoginRules(0.26, settings={"synchronous_commit": "off", "search_path": "pg_catalog"}),
    Role.WEB_READER: LoginRules(0.20, Role.ANALYST, READING),
    Role.ENCODER: LoginRules(0.17),
    Role.WEB_WRITER: LoginRules(0.10, Role.APP, {"idle_in_transaction_session_timeout": "5min"}),
    Role.JOBS: LoginRules(0.07, Role.APP),
    Role.LOADER: LoginRules(0.06, Role.APP),
    Role.CLI: LoginRules(0.04, Role.ANALYST, READING),
}
PERSONAL_CONNECTIONS = 5  # default limit of connections for a person's login
PEOPLE = {Role.ANALYST: READING, Role.APP: {}}  # the settings of people's logins, by their group


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
    def app(self) -> str:
        return self[Role.APP]

    @property
    def all(self) -> list[str]:
        return [self[role] for role in Role]

    def by_word(self) -> dict[str, str]:
        """Return the role name for each placeholder of a function file: `{"owner": "shop_owner", ...}`."""
        return {str(role): self[role] for role in Role}
