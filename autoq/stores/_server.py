"""Tables and leases in a database server that several processes use."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from autoq.core import BusyError
from autoq.stores._database import Database
from autoq.stores._holder import Holder
from autoq.stores._lease import Taken
from autoq.stores._patience import patiently

if TYPE_CHECKING:
    from sqlalchemy import Engine, Table

_MAKING_S = 120
_LOCK_NAME = "autoq tables"
# PostgreSQL names locks by numbers: this is the digest of the name.
_LOCK_NUMBER = int.from_bytes(hashlib.blake2b(_LOCK_NAME.encode(), digest_size=8).digest(), signed=True)
_LEASES = "autoq_leases"


def engine_of(database: Database) -> Engine:
    """Connects to a database. Connections are checked before each use, since a server may have cut them off."""
    from sqlalchemy import create_engine

    return create_engine(database.url, connect_args=database.secret, pool_pre_ping=True)


@contextmanager
def making_tables(database: Database) -> Iterator[None]:
    """Keeps other processes from making tables in a server at the same time. Waits for an unreachable server.

    Raises:
        BusyError: Another process makes tables for too long.
        SQLAlchemyError: The server refuses the connection, or is unreachable for too long.
    """
    from sqlalchemy import text

    engine = engine_of(database)
    try:
        with patiently(engine.connect, what=database.name) as connection:
            kind = database.url.get_backend_name()
            if kind == "postgresql":
                # The lock is freed with the connection, and so at the end of this process.
                connection.execute(text(f"SET lock_timeout = '{_MAKING_S}s'"))
                try:
                    connection.execute(text("SELECT pg_advisory_lock(:number)"), {"number": _LOCK_NUMBER})
                except Exception as error:
                    if "lock timeout" in str(error):
                        raise _busy(database) from None
                    raise
            elif kind == "mysql":
                got = connection.execute(
                    text("SELECT GET_LOCK(:name, :seconds)"), {"name": _LOCK_NAME, "seconds": _MAKING_S}
                )
                if got.scalar() != 1:
                    raise _busy(database)
            yield
    finally:
        engine.dispose()


def _busy(database: Database) -> BusyError:
    return BusyError(f"{database.name}: another process has been making tables for {_MAKING_S} s; wait for it.")


class ServerLease:
    """A lease in a table of a database server.

    Args:
        engine: Engine of the server.
        name: Name of the leased thing.
        what: Name of the server, for people.
    """

    def __init__(self, engine: Engine, name: str, what: str) -> None:
        self._engine = engine
        self._key = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
        self._what = what
        self._table = _table()

    def prepare(self) -> None:
        """Makes the table where it is missing. Only one process at a time may do so."""
        self._table.metadata.create_all(self._engine)

    def take(self, holder: Holder, over: Taken | None) -> Taken | None:
        """See `Lease`."""
        return patiently(lambda: self._take(holder, over), what=self._what)

    def _take(self, holder: Holder, over: Taken | None) -> Taken | None:
        from sqlalchemy.exc import IntegrityError

        table = self._table
        this = table.c.lease == self._key
        while True:
            try:
                with self._engine.begin() as connection:
                    row = connection.execute(table.select().where(this)).first()
                    if row is None:
                        connection.execute(table.insert().values(lease=self._key, holder=holder.text, beat=0))
                        return None
                    if row.holder == holder.text:
                        return None  # stored before the answer was lost
                    taken = Taken(row.holder, str(row.beat))
                    if taken != over:
                        return taken
                    unchanged = this & (table.c.holder == row.holder) & (table.c.beat == row.beat)
                    change = table.update().where(unchanged).values(holder=holder.text, beat=0)
                    if connection.execute(change).rowcount:
                        return None
            except IntegrityError:
                continue  # another process was faster

    def beat(self, holder: Holder) -> None:
        """See `Lease`."""
        table = self._table
        own = (table.c.lease == self._key) & (table.c.holder == holder.text)
        with self._engine.begin() as connection:
            connection.execute(table.update().where(own).values(beat=table.c.beat + 1))

    def said(self) -> str | None:
        """See `Lease`."""
        return patiently(self._said, what=self._what)

    def _said(self) -> str | None:
        with self._engine.connect() as connection:
            row = connection.execute(self._table.select().where(self._table.c.lease == self._key)).first()
        return None if row is None else str(row.holder)

    def free(self, holder: Holder) -> None:
        """See `Lease`."""
        table = self._table
        with self._engine.begin() as connection:
            connection.execute(table.delete().where((table.c.lease == self._key) & (table.c.holder == holder.text)))


def _table() -> Table:
    from sqlalchemy import Column, Integer, MetaData, String, Table, Text

    return Table(
        _LEASES,
        MetaData(),
        Column("lease", String(64), primary_key=True),
        Column("holder", Text, nullable=False),
        Column("beat", Integer, nullable=False),
    )
