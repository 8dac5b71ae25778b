"""The conditions of a machine during a measurement."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Self

# Place of the steal time (time that a hypervisor gave to other machines) in the first line of /proc/stat (proc(5)).
_STEAL = 7
_COUNTED = 8


@dataclass(frozen=True, slots=True)
class Conditions:
    """Conditions of a machine during a measurement; None where the machine does not tell.

    Attributes:
        load_average: Mean number of processes that wanted a core, over the last minute.
        steal: Share of the cores' time that a hypervisor gave to other machines.
        mhz: Mean clock rate of the cores at the end.
    """

    load_average: float | None = None
    steal: float | None = None
    mhz: float | None = None


@dataclass(frozen=True, slots=True)
class ObservationStart:
    """The moment at which the observation of a machine starts.

    Attributes:
        ticks: Ticks that the cores had counted by then; empty where the machine does not tell.
    """

    ticks: tuple[int, ...]

    @classmethod
    def now(cls) -> Self:
        """This moment."""
        return cls(_ticks())

    def conditions(self) -> Conditions:
        """Conditions since that moment."""
        done = [after - before for before, after in zip(self.ticks, _ticks(), strict=False)]
        steal = done[_STEAL] / sum(done) if len(done) > _STEAL and sum(done) > 0 else None
        clocks = [float(text) for text in re.findall(r"cpu MHz\s*: ([\d.]+)", _read("/proc/cpuinfo"))]
        return Conditions(os.getloadavg()[0], steal, sum(clocks) / len(clocks) if clocks else None)


def _ticks() -> tuple[int, ...]:
    first = _read("/proc/stat").partition("\n")[0]
    return tuple(int(count) for count in first.split()[1 : 1 + _COUNTED])


def _read(path: str) -> str:
    return Path(path).read_text("utf-8") if Path(path).exists() else ""
