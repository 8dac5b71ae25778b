"""Which errors of databases are waited for, by what their drivers say."""

import pytest
from sqlalchemy.exc import OperationalError

from autoq.stores._patience import is_away

NOW = "connection to server failed: FATAL:  the database system is "


@pytest.mark.parametrize(
    "said",
    [
        NOW + "starting up",
        NOW + "shutting down",
        NOW + "in recovery mode",
        NOW + "not yet accepting connections\nDETAIL:  Consistent recovery state has not been yet reached.",
        NOW + "not accepting connections\nDETAIL:  Hot standby mode is disabled.",
        "connection to server failed: Connection refused\n\tIs the server running on that host?",
        "server closed the connection unexpectedly",
        "database is locked",
    ],
)
def test_what_will_be_there_again_is_waited_for(said):
    raised = RuntimeError("as another package tells it")
    raised.__cause__ = OperationalError("SELECT 1", {}, Exception(said))
    assert is_away(raised)


@pytest.mark.parametrize(
    "said", ['FATAL:  database "none" does not exist', "password authentication failed", "no such table: x"]
)
def test_what_waiting_does_not_mend_is_told_at_once(said):
    assert not is_away(OperationalError("SELECT 1", {}, Exception(said)))
