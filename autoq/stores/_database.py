"""The URL of a database and, apart from it, its password. Texts and errors never contain the password."""

from __future__ import annotations

import importlib
import urllib.parse
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autoq.core import ConfigError, shown_url

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

# Drivers by dialect, the preferred one first: SQLAlchemy's name, the module, and the package that installs it.
_DRIVERS = {
    "postgresql": (("psycopg", "psycopg", "psycopg[binary]"), ("psycopg2", "psycopg2", "psycopg2-binary")),
    "mysql": (("mysqldb", "MySQLdb", "mysqlclient"), ("pymysql", "pymysql", "pymysql")),
}
_SAME = {"postgres": "postgresql"}
_IN_QUERY = ("password", "passwd")


@dataclass(frozen=True, slots=True)
class Database:
    """A database that SQLAlchemy opens.

    Attributes:
        what: Name for people, such as "storage".
        given: The URL as it was given, without the password.
        url: The URL for SQLAlchemy, with a driver and without the password.
        password: The password; None without.
        file: The file of a SQLite database; None for a server and for a database in memory.
    """

    what: str
    given: str
    url: URL
    password: str | None = field(repr=False)
    file: Path | None

    @classmethod
    def of(cls, what: str, url: str) -> Database:
        """Reads a URL.

        Args:
            what: Name for people, such as "storage".
            url: URL of a SQLite file or of a server; it may omit the driver.

        Raises:
            ConfigError: The text is not the URL of a database, or its driver is not installed.
        """
        from sqlalchemy.engine import make_url
        from sqlalchemy.exc import ArgumentError

        shown = shown_url(url)
        try:
            parsed = make_url(url)
        except (ArgumentError, ValueError):
            parsed = None
        if parsed is None or "@" in (parsed.host or "") or "\0" in url:
            msg = (
                f"{what} {shown!r} is not the URL of a database: write one such as 'sqlite:///study.db' or "
                "'postgresql://user:password@host/database', in the password %40 for @ and %2F for /."
            )
            raise ConfigError(msg)
        query = {key: value for key, value in parsed.query.items() if key not in _IN_QUERY}
        in_query = [str(value) for key, value in parsed.query.items() if key in _IN_QUERY]
        password = parsed.password if parsed.password is not None else next(iter(in_query), None)
        file = _file_of(parsed)
        plain = parsed._replace(password=None, query=query)  # type: ignore[arg-type]  # a dict serves
        if file is None:
            plain = plain.set(drivername=_drivername(what, shown, plain.drivername))
        elif not plain.query.get("uri"):
            # The URL stays valid when the working directory changes.
            plain = plain.set(database=str(file))
        return cls(what, shown, plain, password, file)

    @classmethod
    def in_file(cls, what: str, path: Path) -> Database:
        """The database of a SQLite file."""
        from sqlalchemy.engine import URL

        url = URL.create("sqlite", database=str(path.absolute()))
        return cls(what, url.render_as_string(), url, None, path.absolute())

    @property
    def name(self) -> str:
        """Name for people: "storage 'sqlite:///study.db'"."""
        return f"{self.what} {self.given!r}"

    @property
    def is_server(self) -> bool:
        """Whether it is a server, which may be unreachable for a while."""
        return self.url.get_backend_name() != "sqlite"

    @property
    def text(self) -> str:
        """The URL for SQLAlchemy, without the password."""
        return self.url.render_as_string(hide_password=False)

    @property
    def secret(self) -> dict[str, Any]:
        """The password as keyword arguments for a driver's `connect`; empty without one."""
        return {} if self.password is None else {"password": self.password}


def _file_of(url: URL) -> Path | None:
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        return None
    if not url.query.get("uri") or not url.database.startswith("file:"):
        return Path(url.database).absolute()
    if url.query.get("mode") == "memory" or url.database.startswith("file::memory:"):
        return None
    return Path(urllib.parse.unquote(urllib.parse.urlsplit(url.database).path)).absolute()


def _drivername(what: str, shown: str, name: str) -> str:
    """Dialect and an installed driver."""
    dialect, _, driver = name.partition("+")
    dialect = _SAME.get(dialect, dialect)
    known = _DRIVERS.get(dialect)
    if known is None:
        return name
    wanted = [entry for entry in known if driver in ("", entry[0])]
    if not wanted:
        return f"{dialect}+{driver}"
    for called, module, _ in wanted:
        if _is_there(module):
            return f"{dialect}+{called}"
    packages = " or ".join(f"pip install '{package}'" for _, _, package in wanted)
    msg = f"{what} {shown!r} needs a driver that is not installed: {packages}."
    raise ConfigError(msg)


def _is_there(module: str) -> bool:
    try:
        importlib.import_module(module)
    except ImportError:
        return False
    return True
