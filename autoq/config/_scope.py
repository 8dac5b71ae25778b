"""Files of ignored scopes: search spaces that hold nothing else."""

from __future__ import annotations

from pathlib import Path

from autoq.core import ConfigError
from autoq.graph import IgnoredScope
from autoq.searching.space import SearchSpace


def load_scope(path: Path) -> IgnoredScope:
    """The one ignored scope of a search space.

    Args:
        path: Path of a YAML file with the key `ignored_scopes`.

    Raises:
        ConfigError: The file does not read, or does not hold exactly one scope.
    """
    rules = SearchSpace.load(path).ignored_scopes
    if len(rules) != 1:
        msg = (
            f"{str(path)!r} holds {len(rules)} ignored scopes ({', '.join(rules) or 'none'}): it must hold exactly one."
        )
        raise ConfigError(msg)
    return next(iter(rules.values())).to_scope()


def scope_as_yaml(scope: IgnoredScope, name: str, comment: str) -> str:
    """A scope as YAML, for `load_scope` and the key `ignored_scopes` of a search space.

    Args:
        scope: A scope of names, patterns and types.
        name: Name of the scope in the space.
        comment: Comment for the first line.

    Raises:
        ConfigError: The scope has sub-graphs, which search spaces cannot hold.
    """
    import yaml

    if scope.subgraphs:
        msg = f"ignored scope {name!r} has {len(scope.subgraphs)} sub-graphs: a file holds names, patterns and types."
        raise ConfigError(msg)
    rules = {"names": list(scope.names), "patterns": list(scope.patterns), "types": list(scope.types)}
    values = {"ignored_scopes": {name: {key: items for key, items in rules.items() if items}}}
    return f"# {comment}\n{yaml.safe_dump(values, sort_keys=False, width=1000)}"
