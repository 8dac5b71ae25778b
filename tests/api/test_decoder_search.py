"""Language models: from a folder and texts to a front, and from the front to a folder."""

import json

import numpy as np
import openvino as ov
import pytest
from decoders import VOCABULARY, decoder_net

import autoq
from autoq.config import ExperimentConfig

EXPERIMENT = """
model: source
calibration: {texts: texts.jsonl, tokenizer: TOKENIZER, length: 12, most: 8}
validation: {texts: texts.jsonl, tokenizer: TOKENIZER, length: 12, skip: 8, most: 12}
"""


def tokenize(text):
    return [number % VOCABULARY for number in text.encode()]


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "source"
    folder.mkdir()
    ov.save_model(autoq.make_stateful(decoder_net(blocks=1)), folder / "openvino_model.xml", compress_to_fp16=False)
    for name in ("config.json", "tokenizer.json"):
        (folder / name).write_text("{}")
    return folder


@pytest.mark.slow
def test_from_a_folder_to_a_front_to_a_folder(source, tmp_path):
    texts = ["".join(map(chr, row)) for row in np.random.default_rng(0).integers(97, 123, (30, 20))]
    windows = autoq.token_windows(texts, tokenize, length=12)
    result = autoq.search(
        source,
        calibration=windows[:8],
        validation=windows[8:20],
        metric="negative_kl",
        space={
            "unit_precisions": "float",
            "weight_formats": ["float", "int4_sym g-1", "int8_asym"],
            "rounding": "nearest",
            "kv_cache_precisions": [None, "u4"],
            "subset_sizes": 8,
            "sweep": 2,
        },
        n_trials=6,
        out=tmp_path / "run",
        tracking_uri="off",
        isolate=False,
        progress=False,
    )
    measured = [record.evaluation for record in result.records if record.evaluation is not None]
    assert all(evaluation.latency.first_token is not None for evaluation in measured)
    saved = result.best.save(tmp_path / "small", layout="optimum")
    assert {path.name for path in saved.iterdir()} >= {"openvino_model.bin", "config.json", "tokenizer.json"}
    # What was saved is what was measured, under the settings that are saved in it.
    again = autoq.evaluate(saved, windows[8:20], metric="negative_kl", against=source)
    assert again.mean.value == pytest.approx(-result.best.evaluation.accuracy.drop.value, rel=1e-3, abs=1e-7)
    columns = json.loads(json.dumps(list(result.to_pandas().columns)))
    assert {"first_token_p50_ms", "kv_cache_precision"} <= set(columns)


def test_an_experiment_names_texts_and_the_tokenizer_of_its_model(source, tmp_path, monkeypatch):
    (tmp_path / "texts.jsonl").write_text("\n".join(json.dumps("abc" * 20) for _ in range(8)))
    (tmp_path / "a.yaml").write_text(EXPERIMENT.replace("TOKENIZER", "source"))
    asked = []

    def opened(path):
        asked.append(path)
        return tokenize

    monkeypatch.setattr("autoq.calibration.sources._texts._in_folder", opened)
    arguments = ExperimentConfig.load(tmp_path / "a.yaml").search_arguments()
    assert asked == [source, source]
    assert arguments["calibration"].shape == (8, 12)
    assert arguments["validation"].shape == (12, 12)
