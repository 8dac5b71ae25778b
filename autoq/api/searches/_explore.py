"""The trials of a search."""

from __future__ import annotations

import warnings

from autoq.api.searches._ended import SECONDS
from autoq.api.searches._prepare import PreparedSearch
from autoq.searching.loop import Explored, explore, why
from autoq.searching.records import Part, TrialRecord


def explore_search(prepared: PreparedSearch) -> Explored:
    """Runs the trials of a search. If something ends them early, the trials so far count.

    Raises:
        KeyboardInterrupt: The user ended the search before its first trial.
        AutoqError: The device, or another part that the search needs, failed before the first trial.
    """
    session, study, clock = prepared.session, prepared.study, prepared.session.request.clock

    def keep(record: TrialRecord) -> None:
        session.keeper.keep(record)
        # A session that is killed has told what it spent until its last trial.
        study.remember(SECONDS, clock.spent_s)

    try:
        with clock.spent(Part.TRACK):
            session.audience.on_start(prepared.info, study.records())
        explored = explore(
            prepared.problem,
            study,
            prepared.budget,
            [session.audience],
            stage=session.audience.on_stage,
            attach=session.keeper.attach,
            seed=session.request.seed,
            keep=keep,
            meanwhile=None if session.process is None else session.meanwhile,
        )
    except (KeyboardInterrupt, Exception) as error:  # of any kind
        if not study.records():
            raise
        if not isinstance(error, KeyboardInterrupt):
            warnings.warn(f"the search ends early: {why(error)}", stacklevel=3)
        return Explored(prepared.problem, None, interrupted=True)
    if explored.interrupted and not study.records():
        raise KeyboardInterrupt
    return explored
