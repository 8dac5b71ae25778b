"""The problem that a recorded table stands for."""

from __future__ import annotations

import numpy as np

from autoq.calibration import as_inputs
from autoq.graph import Placements
from autoq.searching.problem import Problem
from autoq.searching.recorded._table import RecordedTable
from autoq.searching.recorded._table_doubles import TableBuilder, TableEvaluator, stand_in


def recorded_problem(table: RecordedTable) -> Problem:
    """The problem for a search of a recorded table; its model and its inputs are stand-ins.

    Args:
        table: The table that the builder and the evaluator look up.
    """
    model = stand_in()
    return Problem(
        model=model,
        inputs=as_inputs(model, [np.zeros(1, np.float32)]),
        placements=Placements.of(model),
        builder=TableBuilder(table),
        evaluator=TableEvaluator(table),
        space=table.space.space,
        dimensions=table.space.dimensions,
        hardware=table.hardware,
        digests={},
        digest=table.name,
        knowledge=table.knowledge,
    )
