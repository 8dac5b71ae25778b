"""Texts become windows of tokens, whatever tokenizer there is."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from decoders import decoder_net

import autoq
from autoq.calibration import as_inputs, read_files
from autoq.calibration.sources._files import data_files
from autoq.config import load_data
from autoq.core import ConfigError, DataError

TEXTS = ["to be or not", "that is"]


class Bytes:
    """As of SentencePiece or tiktoken: numbers alone, and no further argument."""

    def encode(self, text):
        return list(text.encode())


class Special(Bytes):
    """As of transformers: a text begins with 1 and ends with 2, unless it is asked for alone."""

    def encode(self, text, add_special_tokens=True):
        numbers = super().encode(text)
        return [1, *numbers, 2] if add_special_tokens else numbers


JOINED = list(b"to be or not\n\nthat is")
KINDS = [
    Bytes(),
    lambda text: np.array([list(text.encode())]),
    lambda text: {"input_ids": list(text.encode())},
    SimpleNamespace(encode=lambda text: SimpleNamespace(ids=list(text.encode()))),
]


@pytest.mark.parametrize("tokenizer", KINDS)
def test_texts_are_joined_and_cut(tokenizer):
    windows = autoq.token_windows(TEXTS, tokenizer, length=5)
    assert windows.dtype == np.int64
    np.testing.assert_array_equal(windows, np.reshape(JOINED[:20], (4, 5)))
    np.testing.assert_array_equal(autoq.token_windows(iter(TEXTS), tokenizer, length=5, skip=1, most=2), windows[1:3])
    np.testing.assert_array_equal(autoq.token_windows(TEXTS[0], tokenizer, length=12), [JOINED[:12]])


def test_each_window_begins_as_a_text_does():
    windows = autoq.token_windows(TEXTS, Special(), length=6)
    np.testing.assert_array_equal(windows[:, 0], 1)
    np.testing.assert_array_equal(windows[:, 1:], np.reshape(JOINED[:20], (4, 5)))


def test_texts_are_read_no_further_than_needed():
    def endless():
        while True:
            yield "more"

    assert autoq.token_windows(endless(), Bytes(), length=7, most=3).shape == (3, 7)


def test_windows_are_inputs_of_a_decoder():
    tokens = autoq.token_windows(TEXTS, lambda text: [number % 29 for number in text.encode()], length=8)
    stateful = autoq.make_stateful(decoder_net(blocks=1))
    feed = as_inputs(stateful, tokens)[1]
    np.testing.assert_array_equal(feed["input_ids"], tokens[1:2])
    np.testing.assert_array_equal(feed["position_ids"], [range(8)])
    scored = autoq.evaluate(stateful, tokens, metric="log_likelihood")
    assert scored.n == 2


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("lines.jsonl", '{"text": "to be or not", "id": 1}\n\n"that is"\n'),
        ("whole.txt", "to be or not\n\nthat is"),
    ],
)
def test_texts_in_a_file(name, content, tmp_path):
    (tmp_path / name).write_text(content, "utf-8")
    expected = np.reshape(JOINED[:20], (4, 5))
    np.testing.assert_array_equal(autoq.token_windows(tmp_path / name, Bytes(), length=5), expected)
    written = {"texts": name, "tokenizer": Bytes(), "length": 5, "most": 2}
    np.testing.assert_array_equal(read_files(written, tmp_path), expected[:2])
    assert data_files({**written, "texts": tmp_path / name}) == (tmp_path / name,)


def test_the_tokenizer_of_a_folder(tmp_path):
    tokenizers = pytest.importorskip("tokenizers")
    words = ["<s>", "to", "be", "or", "not", "that", "is"]
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel({word: n for n, word in enumerate(words)}))
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    made.post_processor = tokenizers.processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    made.enable_truncation(3)
    made.enable_padding(length=9)
    made.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, TEXTS)))
    expected = [[0, 1, 2, 3], [0, 4, 5, 6]]
    np.testing.assert_array_equal(autoq.token_windows(TEXTS, tmp_path, length=4), expected)
    np.testing.assert_array_equal(load_data("{texts: t.jsonl, tokenizer: ., length: 4}", tmp_path), expected)


@pytest.mark.parametrize(
    ("texts", "tokenizer", "options", "message"),
    [
        (["a"], Bytes(), {}, "texts have 1 tokens, which fill 0 windows of 256; 1 are needed"),
        (TEXTS, Bytes(), {"length": 5, "skip": 4}, "21 tokens, which fill 4 windows of 5; 5 are needed"),
        ([b"bytes"], Bytes(), {}, "texts hold b'bytes', of type bytes: each must be a str"),
        (TEXTS, Special(), {"length": 2, "most": 0}, "most is 0"),
        (TEXTS, Bytes(), {"length": 1}, "length is 1"),
        (TEXTS, 3, {}, "tokenizer is 3: it must be a folder, a function"),
        (TEXTS, lambda text: text.split(), {}, r"gave \['to'.* for a text: numbers are needed"),
        (TEXTS, lambda text: 1 / 0, {}, "raised ZeroDivisionError"),
        (TEXTS, "no_such_folder", {}, "'no_such_folder' has no tokenizer.json: name the folder"),
        (
            TEXTS,
            lambda text, add_special_tokens=True: [1] * 8 * add_special_tokens + [7],
            {"length": 8},
            "with 8 tokens",
        ),
    ],
)
def test_what_makes_no_windows_is_told(texts, tokenizer, options, message):
    with pytest.raises((ConfigError, DataError), match=message):
        autoq.token_windows(texts, tokenizer, **options)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", b'{"label": 1}', r"a.jsonl', line 1 holds no text: write a text in quotes"),
        ("a.jsonl", b"\n[[[", r"line 2 holds no text"),
        ("a.txt", b"\xff\xfe\xff", r"a.txt' cannot be read"),
        ("missing/a.txt", None, r"a.txt' cannot be read: No such file"),
    ],
)
def test_a_file_without_texts_is_told(name, content, message, tmp_path):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        autoq.token_windows(tmp_path / name, Bytes())


def test_a_mapping_needs_a_tokenizer(tmp_path):
    with pytest.raises(ConfigError, match=r"texts '.*t\.txt': .*'tokenizer'"):
        load_data({"texts": "t.txt"}, tmp_path)
