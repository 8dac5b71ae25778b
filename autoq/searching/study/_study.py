"""The Optuna study behind a search: opened or resumed, and the records that it holds."""

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
    evaluation_from_dict,
    record_from_dict,
    record_to_dict,
)
from autoq.searching.sampler import FrontSampler, SeededByTrial, noise_of
from autoq.searching.study._identity import differences, plain
from autoq.searching.study._sealed import sealed, unsealed
from autoq.searching.study._storage import Storage

_IDENTITY = "autoq/identity"
_RECORD = "autoq/record"
_TWIN = "autoq/twin"
_ATTEMPTS = "attempts"
# The first, and three more where the process was killed: a model that kills it each time may be to blame.
_MOST_ATTEMPTS = 4
# What Optuna's storages raise where a disk is full, a file is gone, a database is busy for too long.
STORAGE_ERRORS = (optuna.exceptions.StorageInternalError, OSError)
_CLOSING = "closing"
# What a closing session found by trial number, and after how many trials it came to its end.
_FOUND, _AFTER = "found", "after"


def make_sampler(name: str, seed: int) -> BaseSampler:
    """Sampler by the name that a search space uses."""
    samplers: dict[str, Callable[..., BaseSampler]] = {
        "front": FrontSampler,
        "tpe": TPESampler,
        "nsga2": NSGAIISampler,
        "nsga3": NSGAIIISampler,
        "random": RandomSampler,
    }
    return samplers[name](seed=seed)


def measured_noise(trial: optuna.trial.FrozenTrial, samples: int) -> tuple[float, float]:
    """What `noise_of` says of a trial of a search that was evaluated."""
    values = _of_trial(trial, _RECORD) or _of_trial(trial, _TWIN)
    return noise_of(evaluation_from_dict(values["evaluation"]), samples)


def noise_by_trial(samples: int) -> Callable[[optuna.trial.FrozenTrial], tuple[float, float]]:
    """`measured_noise` of trials that ended, each of which is read once: a sampler asks for all at every proposal."""
    known: dict[int, tuple[float, float]] = {}

    def noise(trial: optuna.trial.FrozenTrial) -> tuple[float, float]:
        if trial.number not in known:
            known[trial.number] = measured_noise(trial, samples)
        return known[trial.number]

    return noise


def kept_before(storage: Storage, name: str) -> Callable[[str], Any]:  # any JSON value
    """Reads what the study of this name keeps, before it is opened to go on.

    Returns:
        What was kept under a key; None where there is none of it.
    """
    try:
        attributes = optuna.load_study(storage=storage.kept, study_name=name).user_attrs
    except KeyError:  # there is no such study
        attributes = {}
    return lambda key: _of_study(attributes, name, _kept(key))


def _kept(key: str) -> str:
    return f"autoq/{key}"


def _of_study(attributes: Mapping[str, Any], name: str, key: str) -> Any:  # any JSON value
    return unsealed(attributes.get(key), f"{key!r} of study {name!r}")


def _of_trial(trial: optuna.trial.FrozenTrial | optuna.Trial, key: str) -> Any:  # any JSON value
    return unsealed(trial.user_attrs.get(key), f"{key!r} of trial {trial.number}")


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Keeps Optuna's log to warnings while a search runs, and gives the user's level back afterwards."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(level)


class Study:
    """An Optuna study whose trials carry `TrialRecord`s, safe to kill at any moment.

    A trial's record is stored before Optuna is told its values, so a trial found running on reopening either has its
    record already, and is told, or is run again under its own number. A trial that builds the model of an earlier one
    has no record: it is known to the sampler alone.

    Args:
        storage: Where it is kept; None keeps it in memory.
        name: Of the study.
        sampler: Name of the sampler.
        seed: Of the sampler.
        identity: What must be the same for trials to be comparable, by what people call it: model, data, space,
            metric, budget, hardware. Values are plain; digests as `as_digest` writes them.

    Raises:
        ConfigError: The storage holds a study of this name with another identity, or does not take one of it.
        StoredFileError: What the study keeps is damaged, or of another version.
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
        self._check_identity(name, identity)
        self.use(partial(make_sampler, sampler), seed)

    def _check_identity(self, name: str, identity: Mapping[str, Any]) -> None:
        stored = self._read(_IDENTITY)
        if stored is None:
            self._study.set_user_attr(_IDENTITY, sealed(plain(identity)))
            return
        if changed := list(differences(stored, plain(identity))):
            msg = (
                f"study {name!r} cannot go on, since its trials would not be comparable; changed were: "
                f"{'; '.join(changed)}. Choose another name or output folder, or go on with what it was started with."
            )
            raise ConfigError(msg)

    @property
    def size(self) -> int:
        """Trials, of whatever state."""
        return len(self._study.get_trials(deepcopy=False))

    @property
    def fingerprints(self) -> frozenset[str]:
        """Of all models that trials ended with."""
        return frozenset(record.fingerprint for record in self.records(closed=False))

    @property
    def identity(self) -> Mapping[str, Any]:
        """What the study was started with."""
        return dict(self._read(_IDENTITY))

    @property
    def stale(self) -> int:
        """Proposals in a row, the latest ones, that built models which had been measured."""
        count = 0
        for trial in reversed(self._study.get_trials(deepcopy=False)):
            if _RECORD in trial.user_attrs:
                break
            count += _TWIN in trial.user_attrs
        return count

    def use(self, make: Callable[[int], BaseSampler], seed: int) -> None:
        """Has other samplers propose from now on, one for each trial.

        Args:
            make: Makes a sampler of a seed.
            seed: Of the search.
        """
        self._study.sampler = SeededByTrial(make, seed)

    def remember(self, key: str, value: Any) -> None:  # any JSON value
        """Keeps a JSON value with the study."""
        self._study.set_user_attr(_kept(key), sealed(value))

    def recall(self, key: str) -> Any:  # any JSON value
        """What `remember` kept under this key, None before."""
        return self._read(_kept(key))

    def _read(self, key: str) -> Any:  # any JSON value
        return _of_study(self._study.user_attrs, self._study.study_name, key)

    def records(self, *, closed: bool = True) -> list[TrialRecord]:
        """Records of all trials that ended, by number; also those that the storage could not take.

        Args:
            closed: With what a closing session found; else as the trials ended.
        """
        try:
            trials = self._study.get_trials(deepcopy=False)
            closing = self._closing[_FOUND] if closed else {}
        except STORAGE_ERRORS:
            trials, closing = [], {}
        new = [t for t in trials if _RECORD in t.user_attrs and t.number not in self._known]
        self._known |= {t.number: record_from_dict(_of_trial(t, _RECORD)) for t in new}
        known = self._known | {int(n): record_from_dict(values) for n, values in closing.items()}
        return [known[number] for number in sorted(known)]

    def close(self, records: Sequence[TrialRecord], *, ended: bool) -> None:
        """Stores what a closing session found; Optuna lets nobody change the trials themselves.

        Args:
            records: Of all trials.
            ended: Whether the session came to its end.
        """
        found = {str(record.number): record_to_dict(record) for record in records if record.remeasured}
        closing = {_FOUND: self._closing[_FOUND] | found, _AFTER: len(records) if ended else None}
        self.remember(_CLOSING, closing)

    def is_closed(self, records: Sequence[TrialRecord]) -> bool:
        """Whether a closing session of these trials, which are all of the study, came to its end."""
        return bool(self._closing[_AFTER] == len(records))

    @property
    def _closing(self) -> Mapping[str, Any]:
        return self.recall(_CLOSING) or {_FOUND: {}, _AFTER: None}

    def enqueue(self, parameters: Mapping[str, Any], origin: str) -> None:
        """Has the next `ask` return these parameters, unless a trial of them exists."""
        self._study.enqueue_trial(dict(parameters), user_attrs={"origin": origin}, skip_if_exists=True)

    def ask(self) -> optuna.Trial:
        """A new trial: an enqueued one first, else what the sampler proposes."""
        return self._study.ask()

    def settle(self, limits: Limits) -> list[optuna.Trial]:
        """Deals with the trials that a killed session left running.

        Args:
            limits: What a model has to keep to be acceptable.

        Returns:
            Those to run again, under their own numbers.
        """
        again = []
        for frozen in self._study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.RUNNING]):
            # Optuna has no public way to go on with a trial.
            trial = optuna.Trial(self._study, frozen._trial_id)
            if (stored := _of_trial(frozen, _RECORD) or _of_trial(frozen, _TWIN)) is not None:
                self._tell(trial, record_from_dict(stored), limits)
            else:
                again.append(trial)
        return again

    @contextmanager
    def attempt(self, what: str) -> Iterator[bool]:
        """Counts how often the process was killed in this block.

        Args:
            what: Tells the block from others.

        Yields:
            Whether to do it; not where the process was killed four times while it was done.
        """
        key = f"{_ATTEMPTS}/{what}"
        attempts = int(self.recall(key) or 0)
        self.remember(key, attempts + 1)
        try:
            yield attempts < _MOST_ATTEMPTS
        finally:
            # However it ends, it was not killed.
            with suppress(*STORAGE_ERRORS):
                self.remember(key, attempts)

    def begin(self, trial: optuna.Trial) -> bool:
        """Counts an attempt at a trial; False where its process was killed four times while it ran."""
        attempts = int(_of_trial(trial, _kept(_ATTEMPTS)) or 0)
        trial.set_user_attr(_kept(_ATTEMPTS), sealed(attempts + 1))
        return attempts < _MOST_ATTEMPTS

    def put_back(self, trial: optuna.Trial) -> None:
        """Takes back an attempt at a trial that was given up for a reason of another kind; it is run when resumed."""
        # What cannot be stored counts as an attempt.
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
                # One that is there was set just before its session was killed.
                if name not in trial.constraints:
                    trial.set_constraint(name, crossed)
        if record.evaluation is None or record.state is TrialState.FAILED:
            self._study.tell(trial, state=optuna.trial.TrialState.FAIL)
            return
        self._study.tell(trial, [record.evaluation.accuracy.drop.value, record.evaluation.latency.ratio.value])
