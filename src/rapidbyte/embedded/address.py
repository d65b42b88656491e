"""How a client reaches a server: an address, written as a DSN or as the settings of a connector."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from urllib.parse import quote


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """One database of one server over TCP; `socket_directory` is the same server's Unix socket, where there is one."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str
    socket_directory: str | None = None

    def dsn(self) -> str:
        """Write the address as a connection URI. It holds the password."""
        user, password = quote(self.user, safe=""), quote(self.password, safe="")
        return f"postgresql://{user}:{password}@{self.host}:{self.port}/{quote(self.database, safe='')}"

    def to_json(self) -> str:
        """Write the address for `from_json`. It holds the password."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> ServerAddress:
        """Read what `to_json` wrote."""
        return cls(**json.loads(text))
