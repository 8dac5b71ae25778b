from typing import Any

import pytest
from graph_models import MODELS
from peer import ours, theirs

from autoq.core import PlanError
from autoq.graph import IgnoredScope, Subgraph, analyze

RULES: dict[str, dict[str, Any]] = {
    "names": {"names": ["conv_2"]},
    "patterns": {"patterns": ["conv_[13]"]},
    "types": {"types": ["Add"]},
    "several": {"names": ["conv_1"], "types": ["Add"]},
}


def left(model: str, **rules: Any) -> set[str]:
    """Names of the sites that a scope takes away."""
    build = MODELS[model]
    kept = {site.name for site in analyze(build(), ignored_scope=IgnoredScope(**rules)).sites}
    return {site.name for site in analyze(build()).sites} - kept


def test_a_name_takes_its_activation_and_its_weight() -> None:
    assert left("conv_bias_relu", names=["conv_2"]) == {"relu_1/fq_output_0", "conv_2/fq_weights_1"}


def test_a_pattern_is_anchored_at_the_start_only() -> None:
    everything = {site.name for site in analyze(MODELS["conv_bias_relu"]()).sites}
    assert left("conv_bias_relu", patterns=["conv"]) == everything
    with pytest.raises(PlanError, match="matches no operation"):
        left("conv_bias_relu", patterns=["onv"])


def test_a_type_takes_all_operations_of_it() -> None:
    # relu_1 keeps a quantizer, but on the edge to conv_2 alone: the sum reads it in float.
    assert left("residual", types=["Add"]) == {"relu_1/fq_output_0", "bias_2/fq_output_0"}


def test_a_subgraph_is_what_lies_between_its_ends() -> None:
    taken = left("residual_chain", subgraphs=[Subgraph(("conv_1a",), ("sum_1",))])
    assert {"conv_1a/fq_weights_1", "conv_1b/fq_weights_1"} <= taken
    assert not {"stem/fq_weights_1", "conv_2a/fq_weights_1"} & taken


@pytest.mark.parametrize("rules", [{"names": ["conv_9"]}, {"patterns": ["nothing.*"]}, {"types": ["Adds"]}])
def test_a_rule_that_matches_nothing_is_an_error_unless_told(rules: dict[str, Any]) -> None:
    with pytest.raises(PlanError, match="matches no operation"):
        left("residual", **rules)
    assert left("residual", **rules, validate=False) == set()


def test_the_error_suggests_the_nearest_name() -> None:
    with pytest.raises(PlanError, match=r"did you mean.*'conv_1'"):
        left("residual", names=["conv1"])
    with pytest.raises(PlanError, match=r"did you mean.*'Convolution'"):
        left("residual", types=["Convolutoin"])


@pytest.mark.parametrize(
    ("pattern", "hint"),
    [
        ("onv_1", r"from the start of a name; '\.\*onv_1' matches 'conv_1'\."),
        ("onv", r"'\.\*onv' matches 'conv_1' and \d+ more\."),
        ("cnov_1$", "did you mean.*'conv_1'"),
        (r".*conb_1\..*", "did you mean.*'conv_1'"),
    ],
)
def test_the_error_says_what_a_pattern_may_have_meant(pattern: str, hint: str) -> None:
    with pytest.raises(PlanError, match=hint):
        left("residual", patterns=[pattern])


def test_a_subgraph_with_no_way_between_its_ends_is_an_error() -> None:
    with pytest.raises(PlanError, match="subgraph"):
        left("residual", subgraphs=[Subgraph(("conv_3",), ("conv_1",))])
    with pytest.raises(PlanError, match="'absent'"):
        left("residual", subgraphs=[Subgraph(("absent",), ("conv_1",))])


def test_a_single_string_is_not_taken_for_a_list_of_letters() -> None:
    with pytest.raises(PlanError, match=r"write \['conv_1'\]"):
        IgnoredScope(names="conv_1")


def test_a_pattern_that_is_no_expression_is_an_error() -> None:
    with pytest.raises(PlanError, match="not a regular expression"):
        left("residual", patterns=["conv_("])


def test_a_scope_is_read_from_plain_values_and_written_to_them() -> None:
    scope = IgnoredScope(names=("a",), types=("Add",), subgraphs=(Subgraph(("a",), ("b",)),), validate=False)
    assert IgnoredScope.from_dict(scope.to_dict()) == scope
    assert IgnoredScope.from_dict({}) == IgnoredScope()
    with pytest.raises(PlanError, match="did you mean 'names'"):
        IgnoredScope.from_dict({"name": ["a"]})


@pytest.mark.peers
@pytest.mark.parametrize("name", ["residual", "several_outputs"])
@pytest.mark.parametrize("rules", RULES)
def test_scopes_are_those_of_the_peer(rules: str, name: str) -> None:
    model, scope = MODELS[name](), {"validate": False, **RULES[rules]}
    assert ours(analyze(model, ignored_scope=IgnoredScope(**scope))) == theirs(model, scope=scope)


@pytest.mark.peers
def test_a_subgraph_is_that_of_the_peer() -> None:
    import nncf

    model = MODELS["residual_chain"]()
    peers = {"subgraphs": [nncf.Subgraph(inputs=["conv_1a"], outputs=["sum_2"])]}
    mine = IgnoredScope(subgraphs=[Subgraph(("conv_1a",), ("sum_2",))])
    assert ours(analyze(model, ignored_scope=mine)) == theirs(model, scope=peers)


def test_a_scope_is_written_in_many_ways() -> None:
    class Foreign:
        """As of NNCF."""

        names, patterns, types = ["conv_1"], [], ["Add"]
        subgraphs, validate = [Subgraph(["conv_1"], ["relu_1"])], False

    for value, expected in (
        ("conv_2", IgnoredScope(names=["conv_2"])),
        (["conv_1", "conv_2"], IgnoredScope(names=["conv_1", "conv_2"])),
        ({"types": ["Add"]}, IgnoredScope(types=["Add"])),
        (IgnoredScope(types=["Add"]), IgnoredScope(types=["Add"])),
        (
            Foreign(),
            IgnoredScope(names=["conv_1"], types=["Add"], subgraphs=[Subgraph(["conv_1"], ["relu_1"])], validate=False),
        ),
    ):
        assert IgnoredScope.of(value) == expected
        model = MODELS["conv_bias_relu"]
        assert analyze(model(), ignored_scope=value).sites == analyze(model(), ignored_scope=expected).sites
    assert IgnoredScope.of(None) is None
    for value in (7, [1, 2]):
        with pytest.raises(PlanError, match="pass an IgnoredScope, a mapping of its fields, or names"):
            IgnoredScope.of(value)


@pytest.mark.peers
def test_the_peers_scope_is_taken_as_it_is() -> None:
    nncf = pytest.importorskip("nncf")
    scope = nncf.IgnoredScope(types=["Convolution"], subgraphs=[nncf.Subgraph(inputs=["a"], outputs=["b"])])
    assert IgnoredScope.of(scope) == IgnoredScope(types=["Convolution"], subgraphs=[Subgraph(["a"], ["b"])])
