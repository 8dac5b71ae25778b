"""Exported folders, as Optimum Intel and OpenVINO GenAI load them; see CONTRIBUTING.md for what they need."""

import json
from dataclasses import replace

import numpy as np
import openvino as ov
import pytest
from decoders import HEADS, HIDDEN, LONGEST, VOCABULARY, decoder_net
from records import record

import autoq
from autoq.api import Candidate
from autoq.core import RuntimePlan

pytestmark = [pytest.mark.peers, pytest.mark.slow]

BLOCKS, NEW = 2, 8
PROMPT = np.random.default_rng(2).integers(3, VOCABULARY, 6)
CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": HIDDEN,
    "intermediate_size": 4 * HIDDEN,
    "num_hidden_layers": BLOCKS,
    "num_attention_heads": HEADS,
    "num_key_value_heads": 2,
    "max_position_embeddings": LONGEST,
    "vocab_size": VOCABULARY,
    "bos_token_id": None,
    "eos_token_id": 0,
    "pad_token_id": 0,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A stateless decoder in a folder becomes a stateful one whose weights are compressed, in a folder."""
    source = tmp_path_factory.mktemp("float")
    ov.save_model(decoder_net(blocks=BLOCKS, scale=0.6), source / "openvino_model.xml", compress_to_fp16=False)
    (source / "config.json").write_text(json.dumps(CONFIG))

    def build(_):
        return autoq.compress_weights(autoq.make_stateful(autoq.read_model(source)), mode="int8_sym")

    made = record(1)
    made = replace(made, plan=made.plan.having(RuntimePlan(kv_cache_precision="f32")))
    return Candidate(made, build, str(source)).save(tmp_path_factory.mktemp("small"), layout="optimum")


@pytest.fixture(scope="module")
def expected(folder):
    """Logits of the prompt, and the likeliest tokens that follow it, by OpenVINO alone: all tokens are read anew."""
    compiled = ov.Core().compile_model(folder / "openvino_model.xml", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    request, tokens, logits = compiled.create_infer_request(), list(PROMPT), []
    for _ in range(NEW):
        request.reset_state()
        places = np.arange(len(tokens))[None]
        feed = {"input_ids": np.array([tokens]), "attention_mask": np.ones_like(places), "position_ids": places}
        logits.append(np.array(request.infer({**feed, "beam_idx": np.zeros(1, np.int32)})["logits"]))
        tokens.append(int(logits[-1][0, -1].argmax()))
    return logits[0], tokens


def test_optimum_intel_says_and_generates_what_openvino_does(folder, expected):
    pytest.importorskip("optimum.intel")
    torch = pytest.importorskip("torch")
    from optimum.intel import OVModelForCausalLM

    model = OVModelForCausalLM.from_pretrained(folder, ov_config={"INFERENCE_PRECISION_HINT": "f32", "CACHE_DIR": ""})
    ids = torch.tensor(PROMPT[None])
    mask = torch.ones_like(ids)
    found = model(input_ids=ids, attention_mask=mask).logits.detach().numpy()
    np.testing.assert_allclose(found, expected[0], rtol=1e-4, atol=2e-4)
    told = model.generate(input_ids=ids, attention_mask=mask, max_new_tokens=NEW, do_sample=False)
    assert told[0].tolist() == expected[1]
    # The device's default is u8: the saved model says how it is run.
    assert model.request.get_compiled_model().get_property("KV_CACHE_PRECISION") == ov.Type.f32


def test_openvino_genai_generates_the_same_tokens(folder, expected):
    genai = pytest.importorskip("openvino_genai")
    settings = {"INFERENCE_PRECISION_HINT": "f32", "ATTENTION_BACKEND": "SDPA"}
    pipeline = genai.LLMPipeline(str(folder), "CPU", **settings)
    config = genai.GenerationConfig(max_new_tokens=NEW, do_sample=False, ignore_eos=True, eos_token_id=0)
    assert [*PROMPT, *pipeline.generate(ov.Tensor(PROMPT[None]), config).tokens[0]] == expected[1]
