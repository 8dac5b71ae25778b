"""Searches that are killed, and searches that get in each other's way: what that does to what they find and leave.

A small network on its device, and a recording of one without a device, are searched with MLflow and without. SIGKILL
comes at the n-th write to a file (half of which may be done), entry of a folder made, renamed or removed, fsync or SQL
statement, spread over all that an uninterrupted search does, or after some time; one of five searches is killed once
more when it goes on. Each is then run to its end. It came to harm where an error ended it, or where anything differs
from the uninterrupted search: trials, plans, scores, front, the chosen model and its file, scores on held-out data,
Optuna's trials, MLflow's runs and models, the files that stand there, temporary ones included; or where a process was
left over. Latencies are told by what the device runs, since the clock never says the same twice.

Three searches are started at once in an empty folder, with folders of their own or with names of their own in one; and
two on one study, the second some time after the first. Each must find what it would alone, or be refused with a
sentence that names the host and the process at work, and since when.

    python experiments/benchmarks/chaos.py [CASE ...] [--kills 250] [--seed 0] [--keep FOLDER] [--quick]
"""

from __future__ import annotations

import json
import random
import re
import socket
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from _cases import parser
from _lines import Lines
from _places import Bench, Place, bench
from _sessions import KINDS

# Searches that are killed: what is searched, how it is tracked, and their share of the kills. But for "stores", the
# tables of MLflow are there before, so that kills come while they are used.
KILLED: Mapping[str, tuple[str, dict[str, Any], float]] = {
    "model": ("model", {"tracking_uri": "off"}, 0.07),
    "model_mlflow": ("model", {}, 0.11),
    "table": ("table", {"tracking_uri": "off"}, 0.28),
    "table_mlflow": ("table", {}, 0.32),
    "stores": ("table", {}, 0.22),
}
MADE_BEFORE = {"model_mlflow", "table_mlflow"}
THREE = {"three_folders": [{"out": f"run_{n}"} for n in range(3)], "three_names": [{"name": f"n{n}"} for n in range(3)]}
TWO = {"two_on_a_folder": {}, "two_on_a_storage": {"out": None, "storage": "sqlite:///study.db", "name": "one"}}
CASES = [*KILLED, *THREE, *TWO]
TIMES = 10
# Searches that are started at once are at most so far apart.
_APART_S = 0.1
# In how many goes as many processes are killed as are to be.
ROUNDS = 3
# Sessions that a search has, after it was killed, to come to its end.
SESSIONS = 3
# One of so many searches is killed twice.
TWICE = 5


@dataclass(frozen=True, slots=True)
class Kill:
    """When a session is killed.

    Attributes:
        kind: One of `KINDS`, or "moment".
        share: Of the events, or of the time, of an uninterrupted session.
        torn: Whether half of a write is done.
    """

    kind: str
    share: float
    torn: bool = False

    def request(self, whole: Mapping[str, Any], counted: str) -> dict[str, Any]:
        """What a session is told, which would count as many events, or take as long, as a whole one."""
        if self.kind == "moment":
            return {"after_s": self.share * whole["seconds"]}
        return {"kind": self.kind, "at": 1 + int(self.share * whole[counted][self.kind]), "torn": self.torn}


def kills(number: int, rng: random.Random) -> Iterator[tuple[Kill, ...]]:
    """So many kills, by search: of each kind alike, and evenly over the whole of it."""
    if number <= 0:
        return
    kinds = rng.sample((*KINDS, "moment"), len(KINDS) + 1)
    searches = number - number // (TWICE + 1)
    strata = {kind: rng.sample(range(n := -(-searches // len(kinds))), n) for kind in kinds}
    for place in range(searches):
        kind = kinds[place % len(kinds)]
        stratum = strata[kind]
        first = Kill(kind, (stratum[place // len(kinds)] + rng.random()) / len(stratum), rng.random() < 0.5)
        second = Kill(rng.choice(kinds), rng.random(), rng.random() < 0.5)
        yield (first, second) if place % TWICE == TWICE - 1 and place < TWICE * (number - searches) else (first,)


def empty_store(place: Place, path: Path) -> Path:
    """Makes an MLflow store without experiments of autoq's."""
    place.ask({"do": "store", "given": {}})
    return (place.root / "work" / "mlflow.db").replace(path)


def uninterrupted(place: Place, do: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """How a search goes that nothing gets in the way of."""
    ((answer,), (look,)) = place.ask({"do": do, "given": given}), place.ask({"do": "look", "given": given})
    for one in (answer, look):
        if one.get("error") is not None or one["status"] != 0:
            msg = f"an uninterrupted search failed: {one}; see {place.root / 'said.txt'}"
            raise RuntimeError(msg)
    return answer | {"look": look["found"]}


def go_on(place: Place, do: str, given: Mapping[str, Any]) -> dict[str, Any] | None:
    """Runs a search to its end; None where it has none."""
    for _ in range(SESSIONS):
        (answer,) = place.ask({"do": do, "given": given})
        if answer["status"] == 0 and answer["error"] is None:
            return answer
        error = answer.get("error") or {"type": "no outcome", "text": ""}
        place.faults[f"going on fails: {error['type']}"] += 1
        place.note(f"going on fails: {error}")
    place.faults["unusable"] += 1
    return None


def harmed(place: Place, do: str, given: Mapping[str, Any], whole: Mapping[str, Any], requests: Sequence[Any]) -> None:
    """Kills a search, as often as there are requests, and looks at what it comes to."""
    place.note(f"{do} {json.dumps(given)} {json.dumps(requests)}")
    for request in requests:
        (answer,) = place.ask({"do": do, "given": given} | request)
        if answer.get("error") is not None:
            place.faults[f"going on fails: {answer['error']['type']}"] += 1
            place.note(f"going on fails: {answer['error']}")
    if (answer := go_on(place, do, given)) is None:
        return
    place.compare(answer["found"], whole["found"])
    (look,) = place.ask({"do": "look", "given": given})
    if look["error"] is not None:
        place.faults["unreadable"] += 1
        place.note(f"unreadable: {look['error']}")
        return
    place.compare(look["found"], whole["look"])


def together(place: Place, requests: Sequence[Mapping[str, Any]], whole: Mapping[str, Any]) -> None:
    """Starts searches at the same time, whose results and models must all be there."""
    place.note(json.dumps(requests))
    for answer in place.ask(*requests):
        if answer.get("error") is not None:
            place.faults[f"fails: {answer['error']['type']}"] += 1
            place.note(f"fails: {answer['error']}")
        elif answer["status"] == 0:
            place.compare(answer["found"], whole["found"])
    (look,) = place.ask({"do": "look", "given": {}})
    if look["error"] is not None:
        place.faults["unreadable"] += 1
        return
    place.compare(look["found"], whole["look"], "unfinished runs", "temporary files", "artifacts of nobody", "uploads")
    place.compare(look["found"], {"models": sorted(whole["look"]["models"] * len(requests))})


def beside(place: Place, given: Mapping[str, Any], whole: Mapping[str, Any], delay_s: float) -> None:
    """Starts a search twice: one is refused with a sentence or waits, and the other one is not disturbed."""
    place.note(f"{json.dumps(given)} after {delay_s} s")
    search = {"do": "table", "given": given}
    answers = place.ask(search, search | {"delay_s": delay_s})
    refused = [answer for answer in answers if answer.get("error") is not None]
    for answer in refused:
        error, others = answer["error"], [str(other["pid"]) for other in answers if other is not answer]
        said = error["text"]
        if not (error["is_said"] and socket.gethostname() in said and _names(said, others) and "since" in said):
            place.faults[f"fails: {error['type']}"] += 1
            place.note(f"fails: {error}")
    if len(refused) == len(answers):
        place.faults["both fail"] += 1
        return
    for answer in answers:
        if answer.get("error") is None and answer["status"] == 0:
            place.compare(answer["found"], whole["found"])
    (look,) = place.ask({"do": "look", "given": given})
    if look["error"] is not None:
        place.faults["unreadable"] += 1
        return
    place.compare(look["found"], whole["look"])


def _names(said: str, pids: Sequence[str]) -> bool:
    return any(re.search(rf"\b{pid}\b", said) for pid in pids)


@dataclass(slots=True)
class Cases:
    """Runs the cases, and prints their figures.

    Attributes:
        bench: Runs searches.
        lines: Print.
        kills: Processes that are killed in all cases together.
        times: How often searches are started beside each other.
        rng: Draws when.
    """

    bench: Bench
    lines: Lines
    kills: int
    times: int
    rng: random.Random
    _wholes: dict[str, dict[str, Any]] = field(default_factory=dict)
    _store: Path | None = None
    killed: int = 0

    def run(self, case: str) -> None:
        """One case."""
        do, tracked, share = KILLED.get(case, ("table", {}, 0.0))
        given = {name: value for name, value in ({"out": "run"} | tracked | TWO.get(case, {})).items() if value}
        store = self._empty_store() if case in MADE_BEFORE else None
        whole = self._whole(case, do, given, store)
        if case in KILLED:
            places = self._killed(case, do, given, whole, store, round(share * self.kills))
        else:
            jobs = [self._beside_each_other(case, given, whole) for _ in range(self.times)]
            places = [place for place, _ in self.bench.each(jobs, store)]
        self._figure(case, "harmed", places, whole)

    def _killed(
        self, case: str, do: str, given: Mapping[str, Any], whole: Mapping[str, Any], store: Path | None, number: int
    ) -> list[Place]:
        """Searches in which so many processes were killed: some end before they can be, and others take their place."""
        counted = "counts_of_stores" if case == "stores" else "counts"
        places: list[Place] = []
        for _ in range(ROUNDS):
            jobs: list[Callable[[Place], Any]] = []
            for several in kills(number - sum(place.killed for place in places), self.rng):
                requests = [kill.request(whole, counted) for kill in several]
                jobs.append(partial(harmed, do=do, given=given, whole=whole, requests=requests))
            places += [place for place, _ in self.bench.each(jobs, store)]
        return places

    def _beside_each_other(
        self, case: str, given: Mapping[str, Any], whole: Mapping[str, Any]
    ) -> Callable[[Place], Any]:
        if case in TWO:
            return partial(beside, given=given, whole=whole, delay_s=self.rng.uniform(0, whole["seconds"]))
        requests = [
            {"do": "table", "given": given | one, "delay_s": self.rng.uniform(0, _APART_S)} for one in THREE[case]
        ]
        return partial(together, requests=requests, whole=whole)

    def _empty_store(self) -> Path:
        if self._store is None:
            ((_, self._store),) = self.bench.each([partial(empty_store, path=self.bench.root / "mlflow.db")])
        return self._store

    def _whole(self, case: str, do: str, given: Mapping[str, Any], store: Path | None) -> dict[str, Any]:
        """An uninterrupted search, which is like another one."""
        key = json.dumps([do, given, store is None])
        if key not in self._wholes:
            ((_, whole),) = self.bench.each([partial(uninterrupted, do=do, given=given)], store)
            self._wholes[key] = whole
            twin = partial(harmed, do=do, given=given, whole=whole, requests=[])
            places = [place for place, _ in self.bench.each([twin, twin], store)]
            self._figure(case, "uninterrupted_that_differ", places, whole, counts=whole["counts"])
        return self._wholes[key]

    def _figure(self, case: str, name: str, places: Sequence[Place], whole: Mapping[str, Any], **more: object) -> None:
        """How many searches came to harm, and in which ways."""
        faults = sum((Counter(dict.fromkeys(place.faults, 1)) for place in places), Counter())
        kills = sum(place.killed for place in places)
        self.killed += kills
        self.lines.figure(
            case,
            name,
            sum(bool(place.faults) for place in places),
            goal="<= 0",
            searches=len(places),
            sessions=sum(place.sessions for place in places),
            kills=kills,
            faults=dict(faults.most_common()),
            compared=sorted({*whole["found"], *whole["look"]}),
            **more,
        )


def main() -> None:
    """Runs every case."""
    command = parser(__doc__)
    command.add_argument("--kills", type=int, default=250, help="processes that are killed")
    command.add_argument("--seed", type=int, default=0, help="of the moments at which they are")
    command.add_argument("--keep", type=Path, help="folder in which the searches that came to harm are left")
    options = command.parse_args()
    lines = Lines("chaos")
    number, times = (10, 1) if options.quick else (options.kills, TIMES)
    with bench(options.keep) as runner:
        cases = Cases(runner, lines, number, times, random.Random(options.seed))
        for case in CASES:
            if not options.cases or case in options.cases:
                cases.run(case)
    lines.figure("all", "kills", cases.killed)
    lines.finish()


if __name__ == "__main__":
    main()
