"""The Optuna study of a search, opened or resumed, with the records of its trials."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import optuna
from optuna.samplers import BaseSampler, NSGAIIISampler, NSGAIISampler, RandomSampler, TPESampler

from autoq.core import AutoqError, ConfigError, reason
from autoq.searching.records import (
    Limits,
    TrialRecord,
    TrialState,
    evaluation_of,
    record_from_dict,
    record_to_dict,
)
from autoq.searching.sampler import FrontSampler, Measured, Prospects, SeededByTrial
from autoq.searching.study._identity import differences, plain
from autoq.searching.study._sealed import sealed, unsealed
from autoq.searching.study._storage import Storage

_IDENTITY = "autoq/identity"
_RECORD = "autoq/record"
_TWIN = "autoq/twin"
_ATTEMPTS = "attempts"
_ORIGIN = "origin"
# The first attempt, and three more after the process was killed: the model itself may be what kills it.
_MOST_ATTEMPTS = 4
# Errors of Optuna's storages: the disk is full, the file is gone, or the database is busy for too long.
STORAGE_ERRORS = (optuna.exceptions.StorageInternalError, OSError)
_CLOSING = "closing"
# The records that a closing session found, by trial number, and the number of trials when it ended.
_FOUND, _AFTER = "found", "after"


def make_sampler(name: str, seed: int) -> BaseSampler:
    """The sampler of a name that search spaces use."""
    samplers: dict[str, Callable[..., BaseSampler]] = {
        "front": FrontSampler,
        "tpe": TPESampler,
        "nsga2": NSGAIISampler,
        "nsga3": NSGAIIISampler,
        "random": RandomSampler,
    }
    return samplers[name](seed=seed)


def kept_before(storage: Storage, name: str) -> Callable[[str], Any]:  # any JSON value
    """Reads the values that the study of this name keeps, before the study is opened.

    Returns:
        Gives the value of a key; None where there is none.
    """
    try:
        attributes = optuna.load_study(storage=storage.kept, study_name=name).user_attrs
    except KeyError:  # there is no such study
        attributes = {}
    return lambda key: _of_study(attributes, name, _kept(key))


def _kept(key: str) -> str:
    return f"autoq/{key}"


def _revised(number: int) -> str:
    return _kept(f"revised/{number}")


def _of_study(attributes: Mapping[str, Any], name: str, key: str) -> Any:  # any JSON value
    return unsealed(attributes.get(key), f"{key!r} of study {name!r}")


def _of_trial(trial: optuna.trial.FrozenTrial | optuna.Trial, key: str) -> Any:  # any JSON value
    return unsealed(trial.user_attrs.get(key), f"{key!r} of trial {trial.number}")


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Limits Optuna's log to warnings in this context, and restores the user's level afterwards."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(level)


class Study:
    """An Optuna study whose trials carry `TrialRecord`s. Its process may be killed at any moment.

    The record of a trial is stored before Optuna is told its values. When the study is opened again, a trial may still
    be marked as running. If it has a record, Optuna is told its values; otherwise it is run again under its own number.
    A trial that builds the model of an earlier one has no record: only the sampler knows it.

    Args:
        storage: Storage of the study; None keeps it in memory.
        name: Name of the study.
        sampler: Name of the sampler.
        seed: Seed of the sampler.
        identity: Facts that must be equal for trials to be comparable, by their names for people: model, data, space,
            metric, budget, hardware. Values are plain; digests are as `as_digest` writes them.

    Raises:
        ConfigError: The storage holds a study of this name with another identity, or refuses a study of this name.
        StoredFileError: A value of the study is damaged, or of another version.
    """

    def __init__(
        self, storage: Storage | None, name: str, *, sampler: str, seed: int, identity: Mapping[str, Any]
    ) -> None:
        kept = Storage.in_memory().kept if storage is None else storage.kept
        try:
            self._study = optuna.create_study(
                storage=kept, study_name=name, directions=["minimize", "minimize"], load_if_exists=True
            )
        except AutoqError:
            raise
        except Exception as error:  # SQLAlchemy, sqlite3 and Optuna each raise errors of their own here
            msg = f"study {name!r} cannot be opened: {reason(error)}"
            raise ConfigError(msg) from error
        self._known: dict[int, TrialRecord] = {}
        self._prospects: Prospects | None = None
        self._measured_now: str | None = None
        # The number of the trial that measured the model of each completed trial.
        self._built_by: dict[int, int] = {}
        self._check_identity(name, identity)
        self.use(partial(make_sampler, sampler), seed)

    def _check_identity(self, name: str, identity: Mapping[str, Any]) -> None:
        stored = self._read(_IDENTITY)
        if stored is None:
            self._study.set_user_attr(_IDENTITY, sealed(plain(identity)))
            return
        if changed := list(differences(stored, plain(identity))):
            msg = (
                f"study {name!r} cannot go on, since its trials would not be comparable. These have changed: "
                f"{'; '.join(changed)}. Choose another name or output folder, or take the former ones again."
            )
            raise ConfigError(msg)

    @property
    def size(self) -> int:
        """Number of trials in any state."""
        return len(self._study.get_trials(deepcopy=False))

    @property
    def fingerprints(self) -> frozenset[str]:
        """Fingerprints of the models of all trials that ended, and of the one that is measured."""
        ended = frozenset(record.fingerprint for record in self.records(closed=False))
        return ended if self._measured_now is None else ended | {self._measured_now}

    @property
    def identity(self) -> Mapping[str, Any]:
        """The identity that the study was started with."""
        return dict(self._read(_IDENTITY))

    @property
    def stale(self) -> int:
        """Number of the latest proposals in a row that built models which were already measured."""
        count = 0
        for trial in reversed(self._study.get_trials(deepcopy=False)):
            if _RECORD in trial.user_attrs:
                break
            count += _TWIN in trial.user_attrs
        return count

    def use(self, make: Callable[[int], BaseSampler], seed: int) -> None:
        """From now on, other samplers propose, one for each trial.

        Args:
            make: Makes a sampler from a seed.
            seed: Seed of the search.
        """
        self._study.sampler = SeededByTrial(make, seed)

    def remember(self, key: str, value: Any) -> None:  # any JSON value
        """Keeps a JSON value with the study."""
        self._study.set_user_attr(_kept(key), sealed(value))

    def recall(self, key: str) -> Any:  # any JSON value
        """The value that `remember` kept under this key; None before."""
        return self._read(_kept(key))

    def _read(self, key: str) -> Any:  # any JSON value
        return _of_study(self._study.user_attrs, self._study.study_name, key)

    def records(self, *, closed: bool = True) -> list[TrialRecord]:
        """Records of all trials that ended, sorted by number, with those that the storage could not take.

        Args:
            closed: Whether records have the values of the closing session; otherwise they are as the trials ended.
        """
        try:
            trials = self._study.get_trials(deepcopy=False)
            closing = self._closing[_FOUND] if closed else {}
        except STORAGE_ERRORS:
            trials, closing = [], {}
        new = [t for t in trials if _RECORD in t.user_attrs and t.number not in self._known]
        kept = self._study.user_attrs if new else {}
        revised = {t.number: _of_study(kept, self._study.study_name, _revised(t.number)) for t in new}
        self._known |= {t.number: record_from_dict(revised[t.number] or _of_trial(t, _RECORD)) for t in new}
        known = self._known | {int(n): record_from_dict(values) for n, values in closing.items()}
        return [known[number] for number in sorted(known)]

    def add(self, record: TrialRecord) -> None:
        """Stores the record of a tuned model as a trial of its own, whose number is `size`. No sampler learns of it."""
        stored = {_RECORD: sealed(record_to_dict(record))}
        self._study.add_trial(optuna.trial.create_trial(state=optuna.trial.TrialState.PRUNED, user_attrs=stored))
        self._known[record.number] = record

    def revise(self, record: TrialRecord) -> None:
        """Stores the record of a trial that was measured further, beside the trial, which Optuna does not change."""
        self._study.set_user_attr(_revised(record.number), sealed(record_to_dict(record)))
        self._known[record.number] = record

    def measured(self, trial: optuna.trial.FrozenTrial, samples: int) -> Measured:
        """What is known of a completed trial, or of the trial whose model it builds again.

        Args:
            trial: The trial.
            samples: Number of samples that models are scored on.
        """
        if trial.number not in self._built_by:
            twin = _of_trial(trial, _TWIN)
            self._built_by[trial.number] = trial.number if twin is None else int(twin["number"])
        number = self._built_by[trial.number]
        if number not in self._known:
            self.records(closed=False)
        record = self._known[number]
        return Measured.of(evaluation_of(record), samples, retimed=not record.is_baseline)

    def close(self, records: Sequence[TrialRecord], *, ended: bool) -> None:
        """Stores the records of a closing session beside the trials, which Optuna does not allow to change.

        Args:
            records: Records of all trials.
            ended: Whether the session came to its end.
        """
        found = {str(record.number): record_to_dict(record) for record in records if record.remeasured}
        closing = {_FOUND: self._closing[_FOUND] | found, _AFTER: len(records) if ended else None}
        self.remember(_CLOSING, closing)

    def is_closed(self, records: Sequence[TrialRecord]) -> bool:
        """Whether a closing session came to its end after these trials, which are all of the study."""
        return bool(self._closing[_AFTER] == len(records))

    @property
    def _closing(self) -> Mapping[str, Any]:
        return self.recall(_CLOSING) or {_FOUND: {}, _AFTER: None}

    def enqueue(self, parameters: Mapping[str, Any], origin: str) -> None:
        """Has the next `ask` return these parameters, unless a trial of them exists."""
        self._study.enqueue_trial(dict(parameters), user_attrs={_ORIGIN: origin}, skip_if_exists=True)

    def ask(self) -> optuna.Trial:
        """A new trial: an enqueued one first, otherwise one that the sampler proposes."""
        return self._study.ask()

    def settle(self, limits: Limits) -> list[optuna.Trial]:
        """Settles the trials that a killed session left running.

        Args:
            limits: What a model has to keep to be acceptable.

        Returns:
            The trials to run again, under their own numbers.
        """
        again = []
        for frozen in self._study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.RUNNING]):
            trial = self._continued(frozen._trial_id)
            if (stored := _of_trial(frozen, _RECORD) or _of_trial(frozen, _TWIN)) is not None:
                self._tell(trial, record_from_dict(stored), limits)
            else:
                again.append(trial)
        return again

    @contextmanager
    def attempt(self, what: str) -> Iterator[bool]:
        """Counts how often the process was killed inside this context.

        Args:
            what: Name of the context, which differs from other names.

        Yields:
            Whether to try it; False after the process was killed in it four times.
        """
        key = f"{_ATTEMPTS}/{what}"
        attempts = int(self.recall(key) or 0)
        self.remember(key, attempts + 1)
        try:
            yield attempts < _MOST_ATTEMPTS
        finally:
            # The process was not killed, however the block ends.
            with suppress(*STORAGE_ERRORS):
                self.remember(key, attempts)

    def begin(self, trial: optuna.Trial) -> bool:
        """Counts an attempt at a trial; gives False if the process was killed in it four times."""
        attempts = int(_of_trial(trial, _kept(_ATTEMPTS)) or 0)
        trial.set_user_attr(_kept(_ATTEMPTS), sealed(attempts + 1))
        return attempts < _MOST_ATTEMPTS

    def expect(self, prospects: Prospects) -> None:
        """Takes what the sampler expects of the next measurements."""
        self._prospects = prospects

    def prospects(self, trial: optuna.Trial) -> Prospects | None:
        """What the sampler expects of the next measurements, with its proposal for a trial without parameters.

        None for a trial that was enqueued, and from a sampler that tells nothing.
        """
        if _ORIGIN in trial.user_attrs:
            return None
        self._prospects = None
        # Optuna asks the sampler when it needs these parameters for the first time.
        _ = trial.relative_params
        return self._prospects

    def foreseen(self, trial: optuna.Trial) -> Mapping[str, Any]:
        """The parameters that a trial will have, but for those that are drawn when they are asked for."""
        # Optuna has no public name for those that were enqueued.
        return trial._fixed_params or trial.relative_params

    @contextmanager
    def measuring(self, fingerprint: str) -> Iterator[None]:
        """A context in which the model of this fingerprint is measured."""
        self._measured_now = fingerprint
        try:
            yield
        finally:
            self._measured_now = None

    def anew(self, trial: optuna.Trial) -> optuna.Trial:
        """The same trial, whose proposal will depend on what is known by now; no parameter was suggested yet."""
        return self._continued(trial._trial_id)

    def drop(self, trial: optuna.Trial) -> None:
        """Ends a trial that was not run and counts for nothing. What was enqueued waits again, as another trial."""
        if (origin := trial.user_attrs.get(_ORIGIN)) is not None:
            # `enqueue` would take it for one that was tried.
            self._study.enqueue_trial(dict(self.foreseen(trial)), user_attrs={_ORIGIN: origin})
        self._study.tell(trial, state=optuna.trial.TrialState.PRUNED)

    def note(self, trial: optuna.Trial, key: str, value: Any) -> None:  # any JSON value
        """Keeps a JSON value with a trial."""
        trial.set_user_attr(_kept(key), sealed(value))

    def latest(self, key: str) -> Iterator[Any]:  # any JSON value
        """The values that `note` kept, the latest trial first; None for trials without."""
        trials = self._study.get_trials(deepcopy=False)
        return (_of_trial(trial, _kept(key)) for trial in reversed(trials))

    def _continued(self, trial_id: int) -> optuna.Trial:
        # Optuna has no public way to continue a trial.
        return optuna.Trial(self._study, trial_id)

    def put_back(self, trial: optuna.Trial) -> None:
        """Takes back an attempt at a trial that ended early for another reason. A later session runs the trial."""
        # If this cannot be stored, the attempt counts.
        with suppress(*STORAGE_ERRORS):
            trial.set_user_attr(_kept(_ATTEMPTS), sealed(int(_of_trial(trial, _kept(_ATTEMPTS)) or 1) - 1))

    def finish(self, trial: optuna.Trial, record: TrialRecord, limits: Limits) -> None:
        """Stores the record of a trial and tells Optuna its values."""
        self._known[record.number] = record
        self._finish(trial, record, limits, _RECORD)

    def finish_as(self, trial: optuna.Trial, twin: TrialRecord, limits: Limits) -> None:
        """Tells Optuna the values of an earlier trial, which builds the same model."""
        self._finish(trial, twin, limits, _TWIN)

    def _finish(self, trial: optuna.Trial, record: TrialRecord, limits: Limits, key: str) -> None:
        trial.set_user_attr(key, sealed(record_to_dict(record)))
        self._tell(trial, record, limits)

    def _tell(self, trial: optuna.Trial, record: TrialRecord, limits: Limits) -> None:
        if record.evaluation is not None:
            for name, crossed in limits.constraints(record.evaluation).items():
                # A constraint that exists was set just before its session was killed.
                if name not in trial.constraints:
                    trial.set_constraint(name, crossed)
        if record.evaluation is None or record.state is TrialState.FAILED:
            self._study.tell(trial, state=optuna.trial.TrialState.FAIL)
            return
        self._study.tell(trial, [record.evaluation.accuracy.drop.value, record.evaluation.cost.value])
