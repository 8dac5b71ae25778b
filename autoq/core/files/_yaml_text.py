"""Reads any text as YAML, into plain values of bounded size, depth and expansion, and of plain types only."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator
from typing import Any

import yaml
from yaml.constructor import ConstructorError

from autoq.core.values import DEEPEST, MOST_INT
from autoq.core.words import ConfigError, quoted

try:
    from yaml import CSafeLoader as SafeLoader
except ImportError:  # a system without libyaml, where the largest text takes half a minute
    from yaml import SafeLoader  # type: ignore[assignment]

LONGEST_BYTES = 1_000_000
# Most values with all aliases expanded: nine lists of nine aliases each would be more than a machine holds.
_MOST_VALUES = 200_000
_PREFIX = "tag:yaml.org,2002:"
_MERGE = f"{_PREFIX}merge"
# PyYAML's name of the place of an error, if there is no file.
_PLACE = re.compile(r' in "<(?:unicode|byte) string>"')
# Types that no experiment and no space has; a date is a text.
_OTHER_TYPES = ("timestamp", "binary", "set", "omap", "pairs")


def parsed(text: str | bytes, noun: str) -> Any:  # any plain value
    """The value of a text, as `yaml_value` gives it.

    Raises:
        ConfigError: As in `yaml_value`.
    """
    if len(text) > LONGEST_BYTES:
        msg = f"{noun} has more than {LONGEST_BYTES:,} characters, which is more than a person writes."
        raise ConfigError(msg)
    try:
        _check_extent(yaml.parse(text, Loader=_PlainLoader), noun)
        return yaml.load(text, Loader=_PlainLoader)  # noqa: S506  # a safe one
    except (yaml.YAMLError, UnicodeError) as error:
        told = _PLACE.sub("", " ".join(str(error).split()))
        msg = f"{noun} is not YAML: {told}."
        raise ConfigError(msg) from None


class _PlainLoader(SafeLoader):
    """Refuses types that are not plain, keys that occur twice, and texts that do not fit their tags."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            value = super().construct_object(node, deep=deep)
        except (ValueError, LookupError, AttributeError, TypeError, ArithmeticError) as error:
            told = f"{quoted(node.value)} is no {node.tag.removeprefix(_PREFIX)}"
            raise ConstructorError(None, None, told, node.start_mark) from error
        if isinstance(value, int) and abs(value) > MOST_INT:
            raise ConstructorError(None, None, f"{quoted(node.value)} is too large", node.start_mark)
        return value

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> Any:
        seen = set()
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if not isinstance(key, yaml.ScalarNode) or key.tag == _MERGE:
                continue
            value = self.construct_object(key, deep=True)
            if isinstance(value, Hashable) and value in seen:
                raise ConstructorError(None, None, f"key {quoted(value)} stands twice", key.start_mark)
            seen.add(value)
        return super().construct_mapping(node, deep=deep)


_PlainLoader.yaml_implicit_resolvers = {
    first: [(tag, expression) for tag, expression in known if tag != f"{_PREFIX}timestamp"]
    for first, known in SafeLoader.yaml_implicit_resolvers.items()
}
for _type in _OTHER_TYPES:
    _PlainLoader.add_constructor(f"{_PREFIX}{_type}", SafeLoader.construct_undefined)  # type: ignore[type-var]  # see its stub


def _check_extent(events: Iterator[yaml.Event], noun: str) -> None:
    """Reads the events of a text without building its values.

    Raises:
        ConfigError: The text has too many values, is nested too deeply, or contains itself.
    """
    sizes: dict[str, int] = {}
    # Anchor of each open list or mapping, and the number of values in it so far.
    within: list[tuple[str | None, int]] = [(None, 0)]
    for event in events:
        if isinstance(event, yaml.CollectionStartEvent):
            within.append((event.anchor, 1))
            if len(within) > DEEPEST:
                msg = f"{noun} is nested more than {DEEPEST} deep."
                raise ConfigError(msg)
            continue
        if isinstance(event, yaml.CollectionEndEvent):
            anchor, size = within.pop()
        elif isinstance(event, yaml.ScalarEvent):
            anchor, size = event.anchor, 1
        elif isinstance(event, yaml.AliasEvent):
            if any(event.anchor == name for name, _ in within):
                msg = (
                    f"{noun} contains itself: {quoted('*' + str(event.anchor))} stands inside the value that it names."
                )
                raise ConfigError(msg)
            # An alias that names nothing is found when the text is read.
            anchor, size = None, sizes.get(str(event.anchor), 1)
        else:
            continue
        if anchor is not None:
            sizes[anchor] = size
        name, held = within[-1]
        within[-1] = (name, held + size)
        if held + size > _MOST_VALUES:
            msg = f"{noun} has more than {_MOST_VALUES:,} values."
            raise ConfigError(msg)
