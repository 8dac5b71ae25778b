"""What records tables, and what judges searches on them."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest
from networks import conv_net
from records import evaluation

from autoq.config import load_function
from autoq.core import ConfigError
from autoq.graph import Placements
from autoq.searching.recorded import Recording, synthetic_table
from autoq.searching.study import quiet_optuna

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"
BENCHMARKS = EXPERIMENTS / "benchmarks"


def part(name):
    return load_function(f"benchmarks/{name}", EXPERIMENTS)


@pytest.fixture(scope="module")
def table():
    return synthetic_table(0, units=6)


# --- blocks ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_the_heaviest_block_is_as_light_as_can_be(count):
    weights = np.random.default_rng(count).random(9)
    ends = part("_blocks.py:_cuts")(weights, count)
    every = [[0, *inner, 9] for inner in combinations(range(1, 9), count - 1)]
    heaviest = [max(weights[a:b].sum() for a, b in pairwise(cuts)) for cuts in every]
    assert len(ends) == count
    assert max(weights[a:b].sum() for a, b in pairwise([0, *ends])) == pytest.approx(min(heaviest))


def test_blocks_hold_every_group_once_in_order():
    graph = Placements.of(conv_net()).reference
    names = [group.name for group in graph.groups]
    for count in (1, 2, len(names), 99):
        units = part("_blocks.py:blocks")(graph, {names[0]: 1.0}, count)
        assert [name for groups in units.values() for name in groups] == names
        assert len(units) == min(count, len(names))


# --- the journal -----------------------------------------------------------------------------------------------------


def test_a_journal_goes_on_where_it_was(tmp_path):
    journal = part("record_table.py:Journal")
    latency = replace(evaluation().latency, log_ratios=(0.1, -0.25))
    recording = Recording(
        fingerprint="f",
        quantized_sites=3,
        size_bytes=10,
        scores=np.array([0.25, 1.0]),
        latency=latency,
        seconds={"build": 1.0, "compile": 2.0, "score": 3.0, "time": 4.0},
    )
    first = journal(tmp_path / "j", {"units": 3})
    assert 7 not in first
    first[7] = recording
    first.remember("knowledge_s", 1.5)

    again = journal(tmp_path / "j", {"units": 3})
    assert 7 in again
    assert 8 not in again
    assert again.recall("knowledge_s") == 1.5
    assert np.array_equal(again[7].scores, recording.scores)
    assert again[7].latency.log_ratios == (0.1, -0.25)
    assert replace(again[7], scores=0) == replace(recording, scores=0)
    with pytest.raises(ConfigError, match="another setting"):
        journal(tmp_path / "j", {"units": 4})


# --- the judge -------------------------------------------------------------------------------------------------------


def test_luck_is_left_out_of_what_plans_are_judged_by(table):
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.02, table.log_ratios.shape[0]).astype(np.float32)
    noise[::25] += 0.5  # disturbed
    noisy = replace(table, log_ratios=table.log_ratios + noise[:, None])
    judge = part("_judged.py:Judged")
    truth, judged = judge.of(table, exact=True), judge.of(noisy, exact=False)
    assert np.std(judged.ratios - truth.ratios) < 0.6 * np.std(np.exp(noise[1:24]) - 1)
    assert judged.ratio_noise > 0.02
    assert judged.volume == pytest.approx(truth.volume, rel=0.06)
    # Where there is no noise, nothing is smoothed away: the table has no more than pairs.
    exact = judge.of(table, exact=False)
    np.testing.assert_allclose(exact.ratios, truth.ratios, atol=1e-6)
    np.testing.assert_allclose(exact.drops, truth.drops, atol=1.5 / len(table.reference))


def test_the_share_of_the_front_and_the_regret(table):
    truth = part("_judged.py:Judged").of(table, exact=True)
    every = list(range(len(table.space)))
    shares = truth.shares(every)
    assert shares[0] == 0.0  # the float model
    assert shares[-1] == pytest.approx(1.0)
    assert (np.diff(shares) >= 0).all()
    feasible = [row for row in every if table.drops[row] <= 0.01]
    fastest = min(feasible, key=lambda row: table.ratios[row])
    assert truth.regret([0, fastest], 0.01) == 0.0
    assert truth.regret([0], 0.01) == pytest.approx(1 - table.ratios[fastest])
    assert truth.regret([0, 63], 1e-9) == pytest.approx(
        1 - min(table.ratios[row] for row in every if not table.drops[row])
    )


# --- the methods -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["front", "random", "tpe", "nsga2", "penalized_tpe", "greedy", "program"])
def test_every_method_evaluates_a_model_once(table, name):
    methods = load_attribute("_methods.py", "METHODS")
    found = []
    with quiet_optuna():
        for evaluated in methods[name](table, 0.02, 0):
            found.append(evaluated)
            if len(found) == 15:
                break
    rows = [evaluated.row for evaluated in found]
    assert len(set(rows)) == len(rows) >= 4
    assert 0 in rows[:2]
    assert 63 in rows[:2]
    assert all(0 < evaluated.seconds <= 1.42 + 1e-6 for evaluated in found)


def test_the_greedy_method_finds_the_fewest_units_to_keep(table):
    methods = load_attribute("_methods.py", "METHODS")
    rows = {evaluated.row for evaluated in methods["greedy"](table, 0.02, 0)}
    units = list(table.space.dimensions.units)
    order = [units.index(unit) for unit in table.knowledge.ranking]
    kept = [sum(1 << unit for unit in order[k:]) for k in range(7)]
    fewest = next(k for k, row in enumerate(kept) if table.drops[row] <= 0.02)
    assert kept[fewest] in rows
    assert fewest == 0 or kept[fewest - 1] in rows


def test_the_program_walks_what_is_predicted_from_its_ends(table):
    halving = part("_methods.py:_halving")
    assert halving(0) == []
    assert halving(1) == [0]
    assert halving(9)[:5] == [0, 8, 4, 2, 6]
    assert sorted(halving(37)) == list(range(37))


def load_attribute(file, name):
    return getattr(sys.modules[part(f"{file}:loop").__module__], name)


# --- whole runs ------------------------------------------------------------------------------------------------------


def compared(*options):
    return subprocess.run(
        [sys.executable, str(BENCHMARKS / "search_efficiency.py"), "synthetic", "--quick", *options],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ,
    )


@pytest.mark.slow
@pytest.mark.parametrize("methods", [[], ["front"]])
def test_searches_are_compared(methods):
    done = compared(*(["--methods", *methods] if methods else []))
    assert done.returncode == 0, done.stderr[-2000:]
    said = {line["figure"]: line for line in map(json.loads, done.stdout.splitlines())}
    assert {"evaluations_to_95", "seconds_to_99", "regret_at_1_points"} <= said.keys()
    at_20 = said["hypervolume_at_20"]
    assert at_20["ours"] > at_20.get("random", 0)
    peers = set(methods or load_attribute("_methods.py", "METHODS")) - {"front"}
    assert at_20.keys() - {"benchmark", "case", "figure", "ours"} == peers
    beside = {figure for figure in said if figure.startswith("evaluations_beside_")}
    assert beside == {f"evaluations_beside_{peer}" for peer in peers & {"tpe", "random"}}


@pytest.mark.slow
def test_methods_are_compared_with_ours():
    done = compared("--methods", "random")
    assert done.returncode == 2
    assert "--methods is ['random']: it must have front" in done.stderr


@pytest.mark.slow
def test_a_table_is_recorded():
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / "record_table.py"), "cifar10_repvgg", "--quick"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "15 plans" in done.stderr
