"""Optimum Intel generates from a stateful decoder. It is not among the extras: install optimum-intel beside them."""

import json

import numpy as np
import openvino as ov
import pytest
from decoders import HEADS, HIDDEN, LONGEST, VOCABULARY, decoder_net

import autoq

pytestmark = [pytest.mark.peers, pytest.mark.slow]

CONFIG = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "vocab_size": VOCABULARY,
    "hidden_size": HIDDEN,
    "num_hidden_layers": 2,
    "num_attention_heads": HEADS,
    "num_key_value_heads": 2,
    "max_position_embeddings": LONGEST,
    "bos_token_id": 1,
    "eos_token_id": None,
    "pad_token_id": 0,
}


def test_optimum_intel_generates_what_the_stateless_model_says(tmp_path):
    optimum = pytest.importorskip("optimum.intel")
    torch = pytest.importorskip("torch")
    model = decoder_net()
    ov.save_model(autoq.make_stateful(model), tmp_path / "openvino_model.xml", compress_to_fp16=False)
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    loaded = optimum.OVModelForCausalLM.from_pretrained(tmp_path, ov_config={"INFERENCE_PRECISION_HINT": "f32"})
    ids = np.random.default_rng(0).integers(2, VOCABULARY, (1, 6))
    made = loaded.generate(torch.tensor(ids), max_new_tokens=10, do_sample=False).numpy()
    compiled = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    for _ in range(10):
        ids = np.concatenate([ids, compiled([ids])[0][:, -1].argmax(-1)[:, None]], axis=1)
    np.testing.assert_array_equal(made, ids)
