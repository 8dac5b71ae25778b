"""What it is worth that every unit chooses for itself how its ranges are found.

Each group takes, of the choices below, those by which it alone distorts the outputs least, measured in forward passes
on 30 calibration samples. Per case: distortion (squared error over variance) of the whole model in int8 on labelled
data, which nothing was chosen by, beside that of the best of the recipes that hold for the whole model; and how many
recipes the groups then have.

    python experiments/benchmarks/own_choices.py [CASE ...] [--quick]
"""

from __future__ import annotations

from itertools import product

import numpy as np
from _cases import Case, run
from _lines import Lines

import autoq
from autoq.core import Plan, Recipe
from autoq.evaluation.device import RuntimeConfig
from autoq.evaluation.distortion import F32Runner, distortion

CHOICES = {
    "range_estimator": ("mean_min_max", "min_max", "mean_no_outliers", "mse"),
    "weight_range_estimator": ("min_max", "mse"),
}
CALIBRATION, JUDGED = 300, 500


def compare(case: Case, lines: Lines, *, quick: bool) -> None:
    """Prints the figures of one case."""
    count = 20 if quick else CALIBRATION
    samples = case.calibration(count)
    same = {"subset_size": count, "model_type": case.model_type}
    preset = "mixed" if case.model_type else "performance"
    usual = {name: choices[0] for name, choices in CHOICES.items()}

    def alone(**choice: str) -> dict[str, float]:
        report = autoq.sensitivity(case.model, samples, preset=preset, progress=False, **(usual | choice), **same)
        return {unit.unit: unit.distortion for unit in report.units}

    measured = {name: {choice: alone(**{name: choice}) for choice in choices} for name, choices in CHOICES.items()}
    groups = measured["range_estimator"][usual["range_estimator"]]
    own = {
        group: {
            name: min(choices, key=lambda choice: measured[name][choice][group]) for name, choices in CHOICES.items()
        }
        for group in groups
    }
    feeds = [inputs for inputs, _ in case.validation(20 if quick else JUDGED)]
    runner = F32Runner(RuntimeConfig())
    reference = runner.outputs(case.model, feeds)

    def whole(**recipe: str) -> Recipe:
        return Recipe.from_dict({"preset": preset, "subset_size": count} | recipe)

    def judged(plan: Plan) -> float:
        model = autoq.quantize(case.model, samples, plan=plan, **same)
        return distortion(reference, runner.outputs(model, feeds))

    recipes = [dict(zip(CHOICES, made, strict=True)) for made in product(*CHOICES.values())]
    by_recipe = [judged(Plan.quantized(whole(**recipe))) for recipe in recipes]
    parsed = {group: Recipe.from_dict(made) for group, made in own.items()}
    choices = {group: {name: getattr(recipe, name) for name in CHOICES} for group, recipe in parsed.items()}
    by_group = judged(Plan.quantized(whole(**usual), choices=choices))
    lines.figure(
        case.name,
        "distortion beside the best recipe",
        by_group,
        min(by_recipe),
        default=float(f"{by_recipe[0]:.4g}"),
        best=recipes[int(np.argmin(by_recipe))],
        recipes=len({tuple(made.values()) for made in own.values()}),
        groups=len(own),
    )


if __name__ == "__main__":
    run("own_choices", __doc__, compare)
