"""Texts as windows of tokens, which decoders are calibrated and scored on.

| tokenizer                                                    | is asked by                          |
|--------------------------------------------------------------|--------------------------------------|
| folder of a model with `tokenizer.json`, or that file        | the package `tokenizers`             |
| `tokenizers.Tokenizer`, a tokenizer of `transformers`        | `encode(text, add_special_tokens=..)` |
| another object with `encode`, as of SentencePiece            | `encode(text)`                       |
| a function                                                   | `tokenizer(text)`                    |

What it gives are numbers, an object with `ids`, or a mapping with `input_ids`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoq.calibration.sources._tokens import WINDOW
from autoq.core import ConfigError, DataError, named_reason, quoted, reason, whole_number

_FILE = "tokenizer.json"
_BETWEEN = "\n\n"
# Characters of a text that tell which tokens are put before it.
_PROBED = 100
_Encode = Callable[[str, bool], list[int]]


def token_windows(
    texts: Iterable[str] | os.PathLike[str],
    tokenizer: Any,  # a path or one of several kinds of objects
    *,
    length: int = WINDOW,
    most: int | None = None,
    skip: int = 0,
) -> NDArray[np.int64]:
    """Windows of tokens, as calibration or validation data of a decoder.

    Texts are joined by an empty line and cut into windows. Each window begins with the tokens that the tokenizer puts
    before every text, if there are any. The other inputs of the decoder and the labels follow from the tokens.

    Args:
        texts: Texts, or a single one; or a `Path` of a file in UTF-8: `.jsonl` with a text in each line, or an object
            that has one as "text"; any other file is one text. They are read as far as they are needed.
        tokenizer: The tokenizer of the decoder: its folder, which needs `pip install autoq[texts]`; or an object.
        length: Tokens of a window.
        most: Most windows; None cuts all texts.
        skip: Windows that are left out at the beginning, such as those of other data from the same texts.

    Returns:
        Token numbers, [windows, length]. What does not fill a window at the end is left out.

    Raises:
        DataError: The texts cannot be read, or are too short.
        ConfigError: There is no such tokenizer, it fails, or a number makes no sense.
    """
    whole_number(length, "length", least=2, error=ConfigError)
    whole_number(skip, "skip", least=0, error=ConfigError)
    if most is not None:
        whole_number(most, "most", least=1, error=ConfigError)
    encode = _encoder(tokenizer)
    read = _read(texts)
    first = next(read, "")
    start = _start(encode, first[:_PROBED])
    own = length - len(start)
    if own < 1:
        msg = f"length is {length}, but the tokenizer begins each text with {len(start)} tokens: make it longer."
        raise ConfigError(msg)
    tokens: list[int] = []
    wanted = None if most is None else own * (skip + most)
    for text in chain([first], (_BETWEEN + text for text in read)):
        tokens += encode(text, False)
        if wanted is not None and len(tokens) >= wanted:
            break
    windows = len(tokens) // own if most is None else min(len(tokens) // own, skip + most)
    if windows <= skip:
        msg = f"texts have {len(tokens)} tokens, which fill {windows} windows of {length}; {skip + 1} are needed."
        raise DataError(msg)
    cut = np.array(tokens[own * skip : own * windows], np.int64).reshape(-1, own)
    return np.hstack([np.tile(np.array(start, np.int64), (len(cut), 1)), cut])


def _read(texts: Iterable[str] | os.PathLike[str]) -> Iterator[str]:
    if isinstance(texts, os.PathLike):
        yield from _in_file(Path(texts))
        return
    for text in [texts] if isinstance(texts, str) else texts:
        if not isinstance(text, str):
            msg = f"texts hold {quoted(text)}, of type {type(text).__name__}: each must be a str."
            raise DataError(msg)
        yield text


def _in_file(path: Path) -> Iterator[str]:
    try:
        with path.open(encoding="utf-8-sig") as file:
            if path.suffix.lower() != ".jsonl":
                yield file.read()
                return
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield _of_line(line, f"{str(path)!r}, line {number}")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"texts {str(path)!r} cannot be read: {getattr(error, 'strerror', None) or reason(error)}."
        raise DataError(msg) from None


def _of_line(line: str, where: str) -> str:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        found = None
    text = found.get("text") if isinstance(found, Mapping) else found
    if not isinstance(text, str):
        msg = f'{where} holds no text: write a text in quotes, or an object with "text".'
        raise DataError(msg)
    return text


def _encoder(tokenizer: Any) -> _Encode:
    """The function that makes numbers of a text, with or without the tokens around each text."""
    if isinstance(tokenizer, str | os.PathLike):
        tokenizer = _in_folder(Path(tokenizer))
    function = getattr(tokenizer, "encode", tokenizer)
    if not callable(function):
        msg = f"tokenizer is {quoted(tokenizer)}: it must be a folder, a function, or an object with `encode`."
        raise ConfigError(msg)
    knows = _knows_special_tokens(function)

    def encode(text: str, special: bool) -> list[int]:  # a private function of two arguments
        try:
            found = function(text, add_special_tokens=special) if knows else function(text)
            ids = found["input_ids"] if isinstance(found, Mapping) else getattr(found, "ids", found)
            numbers = np.asarray(ids)
        except Exception as error:
            msg = f"the tokenizer {type(tokenizer).__name__} raised {named_reason(error)}"
            raise ConfigError(msg) from error
        if numbers.size and numbers.dtype.kind not in "iu":
            msg = f"the tokenizer {type(tokenizer).__name__} gave {quoted(ids)} for a text: numbers are needed."
            raise ConfigError(msg)
        return [int(number) for number in numbers.reshape(-1)]

    return encode


def _in_folder(path: Path) -> Any:  # the package has no types
    file = path / _FILE if path.is_dir() else path
    if not file.is_file():
        msg = f"tokenizer {str(path)!r} has no {_FILE}: name the folder of the model, or pass a tokenizer."
        raise ConfigError(msg)
    try:
        from tokenizers import Tokenizer
    except ImportError:
        msg = f"tokenizer {str(file)!r} needs the package tokenizers: pip install autoq[texts], or pass a tokenizer."
        raise ConfigError(msg) from None
    try:
        made = Tokenizer.from_file(str(file))
    except Exception as error:  # noqa: BLE001  # the package raises no other kind
        msg = f"tokenizer {str(file)!r} cannot be read: {named_reason(error)}"
        raise ConfigError(msg) from None
    # Files of some tokenizers pad and cut texts.
    made.no_padding()
    made.no_truncation()
    return made


def _knows_special_tokens(function: Callable[..., Any]) -> bool:
    """Whether it can be asked for a text without the tokens that it puts around each one."""
    try:
        function("", add_special_tokens=False)
    except Exception:  # noqa: BLE001  # SentencePiece raises errors of its own for unknown arguments
        return False
    return True


def _start(encode: _Encode, text: str) -> list[int]:
    """The tokens that are put before every text, such as this one."""
    whole, bare = encode(text, True), encode(text, False)
    for place in range(len(whole) - len(bare) + 1):
        if whole[place : place + len(bare)] == bare:
            return whole[:place]
    return []
