"""Sentences of the package as a command says them: its options in place of the parameters that they stand for.

| A sentence says | The command says |
|---|---|
| all_layers=True | --all-layers |
| repair='one_shot' | --repair one_shot |
| another group_size | another --group-size |
| ratio is 2 | --ratio is 2 |
| one of epochs, steps or timeout_s | one of --epochs, --steps or --timeout |
| epochs and steps are given | --epochs and --steps are given |
| ignored_scope=IgnoredScope(names=['a', 'b']) | --ignore a --ignore b |
| images(..., size=(height, width)) | {images: FOLDER, size: [height, width]} |
| autoq.compress_weights | autoq compress |
"""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Mapping

import click
from click.core import ParameterSource

# Commands by the functions that they call.
_COMMANDS = {
    "compress_weights": "compress",
    "finetune": "tune",
    "learn_rounding": "round",
    **{name: name for name in ("search", "quantize", "prune", "benchmark", "evaluate", "profile", "sensitivity")},
}
# The command whose parameters stand in a file.
_SEARCH = "search"
# Options that stand for one value of a parameter of another name.
_OF_VALUES = {"bias_correction=False": "no_bias_correction", "fast_bias_correction=False": "accurate_bias_correction"}
# Options that stand for a parameter of another name.
_OF_NAMES = {"input_shapes": "shapes"}
# Keys of images as data.
_IMAGE_KEYS = frozenset({"size", "mean", "scale", "layout", "colors"})
_QUOTE, _AS_LIST = "'", str.maketrans("()", "[]")
_LIST = r"\[(?:'[^']*'|\"[^\"]*\"|[,\s])*\]"
_VALUE = r"(?:'[^']*'|\([^)]*\)|[\w.+-]*\w)"
# Names beside each other are options if all of them are.
_NAMES = r"[a-z]\w*(?:,\ [a-z]\w*)*\ (?:or|and)\ [a-z]\w*"
_TOLD = re.compile(
    rf"""
      images\(\.\.\.,\ (?P<images>\w+=(?:{_VALUE})?(?:,\ \w+=(?:{_VALUE})?)*)\)
    | ignored_scope=IgnoredScope\(names=(?P<scope>{_LIST})\)
    | \bautoq\.(?P<function>{"|".join(_COMMANDS)})\b
    | (?P<names>(?<=\bone\ of\ ){_NAMES}\b|\b{_NAMES}(?=\ are\b))
    | (?P<quoted>(?<!\w)'[^']*')
    | \b(?P<name>[a-z]\w*)(?:=(?P<value>{_VALUE}))?
    """,
    re.VERBOSE,
)
_KEY = re.compile(rf"(\w+)=({_VALUE})?")


def in_options(text: str, context: click.Context) -> str:
    """A sentence with the options of a command in place of the parameters that they stand for.

    Args:
        text: The sentence.
        context: Context of the command.
    """
    options, in_file = _named(context), context.command.name == _SEARCH

    def said(match: re.Match[str]) -> str:
        found = match[0]
        if match["images"] is not None:
            found = _in_braces(match["images"])
        elif match["scope"] is not None and "names" in options:
            names = ast.literal_eval(match["scope"])
            found = " ".join(f"{options['names']} {shlex.quote(name)}" for name in names)
        elif match["function"] is not None:
            found = f"autoq {_COMMANDS[match['function']]}"
        elif match["names"] is not None:
            parts = re.split(r"(, | or | and )", found)
            are_options = all(name in options for name in parts[::2])
            found = "".join(
                options.get(part, part) if are_options or ("_" in part and not in_file) else part for part in parts
            )
        elif match["value"] is not None:
            found = _with_value(match["name"], match["value"], options)
        elif match["name"] is not None:
            name = _OF_NAMES.get(match["name"], match["name"])
            is_subject = text.startswith(" is ", match.end())
            begins = is_subject and (match.start() == 0 or text[: match.start()].endswith(", "))
            # In a sentence about a file, a name alone may be one of its keys.
            if begins or ("_" in match["name"] and (is_subject or not in_file)):
                found = options.get(name, found)
        return found

    return _TOLD.sub(said, text)


def _named(context: click.Context) -> Mapping[str, str]:
    """Options by parameter; of a search, only those that are given: its file has the parameters as keys."""
    given = [param for param in context.command.params if isinstance(param, click.Option)]
    if context.command.name == _SEARCH:
        given = [
            param
            for param in given
            if param.name is not None and context.get_parameter_source(param.name) is ParameterSource.COMMANDLINE
        ]
    return {param.name: max(param.opts, key=len) for param in given if param.name is not None}


def _with_value(name: str, value: str, options: Mapping[str, str]) -> str:
    """A parameter and its value as an option."""
    if (other := options.get(_OF_VALUES.get(f"{name}={value}", ""))) is not None:
        return other
    if (option := options.get(name)) is None:
        return f"{name}: {value}" if name in _IMAGE_KEYS else f"{name}={value}"
    return option if value == "True" else f"{option} {shlex.quote(value.strip(_QUOTE))}"


def _in_braces(keys: str) -> str:
    """Arguments of `images` as a mapping."""
    told = [f"{key}: {value.strip(_QUOTE).translate(_AS_LIST) or '...'}" for key, value in _KEY.findall(keys)]
    return f"{{images: FOLDER, {', '.join(told)}}}"
