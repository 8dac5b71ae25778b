"""The URL of a database, its password kept apart: what opens it, and what errors are made of, never holds that."""

from __future__ import annotations

import importlib
import urllib.parse
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autoq.core import ConfigError, shown_url

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

# By dialect, drivers that serve, the preferred one first: what SQLAlchemy calls it, its module, and what installs it.
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
        what: For people, such as "storage".
        given: Its URL as it was given, without the password.
        url: What SQLAlchemy opens: with a driver, without the password.
        password: None without.
        file: Of SQLite; None where it is a server, or in memory.
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
            what: For people, such as "storage".
            url: Of a SQLite file, or of a server; the driver may be left out.

        Raises:
            ConfigError: It is none, or its driver is not installed.
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
                f"{what} {shown!r} is no URL of a database; it would be one such as 'sqlite:///study.db' or "
                "'postgresql://user:password@host/database', the password with %40 for @ and %2F for /."
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
            # The same file, whatever becomes of the working directory.
            plain = plain.set(database=str(file))
        return cls(what, shown, plain, password, file)

    @classmethod
    def in_file(cls, what: str, path: Path) -> Database:
        """That of a SQLite file."""
        from sqlalchemy.engine import URL

        url = URL.create("sqlite", database=str(path.absolute()))
        return cls(what, url.render_as_string(), url, None, path.absolute())

    @property
    def name(self) -> str:
        """For people: "storage 'sqlite:///study.db'"."""
        return f"{self.what} {self.given!r}"

    @property
    def is_server(self) -> bool:
        """Whether it is reached over a network, and so may be away for a while."""
        return self.url.get_backend_name() != "sqlite"

    @property
    def text(self) -> str:
        """The URL that SQLAlchemy opens; it holds no password."""
        return self.url.render_as_string(hide_password=False)

    @property
    def secret(self) -> dict[str, Any]:
        """The password, as arguments of a driver's `connect`; none where there is none."""
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
    """Dialect and driver, one that is installed."""
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
