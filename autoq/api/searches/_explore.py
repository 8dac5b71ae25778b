"""The trials of a search."""

from __future__ import annotations

import warnings

from autoq.api.searches._prepare import PreparedSearch
from autoq.searching.loop import Explored, explore, why
from autoq.searching.records import Part


def explore_search(prepared: PreparedSearch) -> Explored:
    """Runs the trials of a search. If something ends them early, the trials so far count.

    Raises:
        KeyboardInterrupt: The user ended the search before its first trial.
        AutoqError: The device, or another part that the search needs, failed before the first trial.
    """
    session, study = prepared.session, prepared.study
    try:
        with session.request.clock.spent(Part.RECORD):
            session.audience.on_start(prepared.info, study.records())
        explored = explore(
            prepared.problem,
            study,
            prepared.budget,
            [session.audience],
            stage=session.audience.on_stage,
            attach=session.keeper.attach,
            seed=session.request.seed,
            keep=session.keeper.keep,
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
