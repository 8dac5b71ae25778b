"""The databases of a search: they are complete or absent, and one process at a time changes them."""

from autoq.stores._database import Database
from autoq.stores._holder import Holder
from autoq.stores._lease import FileLease, Lease, leased
from autoq.stores._locks import locked
from autoq.stores._patience import StoreWarning, is_away, patiently
from autoq.stores._server import ServerLease, engine_of, making_tables
from autoq.stores._sqlite import Tables, ensure_complete

__all__ = [
    "Database",
    "FileLease",
    "Holder",
    "Lease",
    "ServerLease",
    "StoreWarning",
    "Tables",
    "engine_of",
    "ensure_complete",
    "is_away",
    "leased",
    "locked",
    "making_tables",
    "patiently",
]
