"""The Optuna storage of a search. Its tables exist, and only this process changes the study."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import BaseStorage, InMemoryStorage, RDBStorage
from optuna.storages._cached_storage import _CachedStorage

from autoq.core import AutoqError, ConfigError, file_name, reason
from autoq.stores import Database, FileLease, ServerLease, Tables, ensure_complete, leased, making_tables, patiently

# Methods of Optuna's storage that only read, and methods that change something. Both may be called again after an
# error.
_READS = (
    *("get_study_id_from_name", "get_study_name_from_id", "get_study_directions", "get_study_user_attrs"),
    *("get_study_system_attrs", "get_all_studies", "get_trial_id_from_study_id_trial_number", "get_trial"),
    *("_get_trials", "_get_best_trial_id"),
)
_WRITES = (
    *("create_new_study", "delete_study", "set_study_user_attr", "set_study_system_attr", "_create_new_trial"),
    *("_set_trial_param", "set_trial_intermediate_value", "set_trial_user_attr", "set_trial_system_attr"),
)
_FILE_WAIT_S = 5.0


@dataclass(frozen=True, slots=True)
class Storage:
    """An opened storage of studies.

    Attributes:
        kept: Optuna's storage.
    """

    kept: BaseStorage

    @classmethod
    def in_memory(cls) -> Storage:
        """A storage that ends with the process."""
        return cls(InMemoryStorage())

    @classmethod
    @contextmanager
    def opened(cls, url: str | None, study: str) -> Iterator[Storage]:
        """Opens a storage to work on one of its studies; no other process may work on the study at the same time.

        Args:
            url: Optuna storage URL; None keeps the study in memory.
            study: Name of the study.

        Raises:
            ConfigError: The storage cannot be opened, or holds something else.
            BusyError: Another process is at work on the study.
        """
        if url is None:
            yield cls.in_memory()
            return
        database = Database.of("storage", url)
        with ExitStack() as stack:
            with _said(database):
                check = stack.enter_context(_opened(database, study))
                storage = SteadyStorage(database, check)
            stack.callback(storage.engine.dispose)
            stack.callback(storage.remove_session)
            yield cls(_CachedStorage(storage))


class SteadyStorage(RDBStorage):
    """Optuna's storage in a database that may be out of reach for a while; another process may then take the study.

    Args:
        database: The database; its tables exist.
        check: Called before each change; raises an error if this process may not change the study.
    """

    def __init__(self, database: Database, check: Callable[[], None] | None = None) -> None:
        connect: dict[str, Any] = dict(database.secret)
        if not database.is_server:
            connect["timeout"] = _FILE_WAIT_S
        self._name = database.name
        self._check = check
        # Optuna fills braces in.
        url = database.text.replace("{", "{{").replace("}", "}}")
        patiently(
            lambda: super(SteadyStorage, self).__init__(
                url, engine_kwargs={"connect_args": connect, "pool_pre_ping": True}
            ),
            what=self._name,
        )

    def set_trial_state_values(
        self, trial_id: int, state: optuna.trial.TrialState, values: Sequence[float] | None = None
    ) -> bool:
        """As Optuna has it."""
        tries = 0

        def store() -> bool:
            nonlocal tries
            tries += 1
            # If the value was stored and only the answer was lost, Optuna would now refuse it.
            if tries > 1 and super(SteadyStorage, self).get_trial(trial_id).state is state:
                return True
            return super(SteadyStorage, self).set_trial_state_values(trial_id, state, values)

        return bool(self._steadily(store, changes=True))

    def _steadily(self, call: Callable[[], Any], *, changes: bool) -> Any:  # whatever Optuna's method returns
        def checked() -> Any:
            if changes and self._check is not None:
                self._check()
            return call()

        return patiently(checked, what=self._name)


def _steady(name: str, *, changes: bool) -> None:
    plain = getattr(RDBStorage, name)

    def steady(self: SteadyStorage, *arguments: Any, **keywords: Any) -> Any:
        return self._steadily(lambda: plain(self, *arguments, **keywords), changes=changes)

    setattr(SteadyStorage, name, steady)


for _method in _READS:
    _steady(_method, changes=False)
for _method in _WRITES:
    _steady(_method, changes=True)


@contextmanager
def _said(database: Database) -> Iterator[None]:
    """Turns errors of opening a storage into one that names the storage."""
    try:
        yield
    except ConfigError:
        raise
    except AutoqError as error:
        raise type(error)(str(error)) from None
    except Exception as error:  # SQLAlchemy, sqlite3 and Optuna each raise errors of their own here
        msg = f"{database.name} cannot be opened: {reason(error)}"
        raise ConfigError(msg) from error


@contextmanager
def _opened(database: Database, study: str) -> Iterator[Callable[[], None] | None]:
    """Makes the tables, and holds the study for this process until the end of the context."""
    what, advice = f"study {study!r} in {database.name}", "wait for it, end it, or give this search another name"
    if database.file is not None:
        ensure_complete(database.file, optuna_tables(), database.name)
        path = database.file.with_name(f".{file_name(f'{database.file.name}.{study}')}.lock")
        with leased(FileLease(path), what, advice) as check:
            yield check
    elif database.is_server:
        with making_tables(database):
            storage = SteadyStorage(database)
            lease = ServerLease(storage.engine, study, database.name)
            lease.prepare()
        try:
            with leased(lease, what, advice) as check:
                yield check
        finally:
            storage.engine.dispose()
    else:
        yield None


def optuna_tables() -> Tables:
    """The tables that Optuna keeps in a SQLite file."""
    from alembic.script import ScriptDirectory
    from optuna.storages._rdb import models

    script = ScriptDirectory(str(Path(models.__file__).with_name("alembic")))
    return Tables(
        program="Optuna",
        tables=frozenset(models.BaseModel.metadata.tables),
        head=str(script.get_current_head()),
        revisions=frozenset(revision.revision for revision in script.walk_revisions()),
        filled=("SELECT 1 FROM version_info",),
        unmissed={"version_info": "SELECT 1 WHERE 0"},
        upgrade="bring it to this version with `optuna storage upgrade`",
        fill=_fill,
    )


def _fill(path: Path) -> None:
    storage = RDBStorage(Database.in_file("storage", path).text)
    storage.remove_session()
    storage.engine.dispose()
