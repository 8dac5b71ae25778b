"""What commands say in place of the parameters of functions."""

import pytest

from autoq.cli._main import cli
from autoq.cli.words import in_options

SAID = [
    ("compress", "another group_size, or all_layers=True", "another --group-size, or --all-layers"),
    ("compress", "mode='int8_asym', which all weights take", "--mode int8_asym, which all weights take"),
    ("compress", "Give backup_mode to choose it, or 'none'", "Give --backup-mode to choose it, or 'none'"),
    ("compress", "or autoq.quantize, which is faster", "or autoq quantize, which is faster"),
    ("compress", "objective 'group_size' of a layer's group_size", "objective 'group_size' of a layer's --group-size"),
    ("prune", "a smaller multiple_of, by channel_multiple_of", "a smaller --multiple-of, by channel_multiple_of"),
    ("prune", "Use repair='one_shot', or widths='equal'.", "Use --repair one_shot, or --widths equal."),
    (
        "prune",
        "leave them in float: ignored_scope=IgnoredScope(names=['a/b', \"it's [1]\"]) and 3 more.",
        "leave them in float: --ignore a/b --ignore 'it'\"'\"'s [1]' and 3 more.",
    ),
    ("profile", "ignored_scope=IgnoredScope(names=['a'])", "ignored_scope=IgnoredScope(names=['a'])"),
    ("quantize", "fast_bias_correction=False runs each", "--accurate-bias-correction runs each"),
    ("quantize", "reset_state='never' or bias_correction=False", "--reset-state never or --no-bias-correction"),
    ("quantize", "isolate=False evaluates here", "isolate=False evaluates here"),
    (
        "quantize",
        "pass images(..., size=(height, width)).",
        "pass {images: FOLDER, size: [height, width]}.",
    ),
    (
        "evaluate",
        "pass images(..., mean=, scale=), or scale=1 where that is right.",
        "pass {images: FOLDER, mean: ..., scale: ...}, or scale: 1 where that is right.",
    ),
    ("search", "max_drop is 'a lot'; give finetune a timeout_s", "--max-drop is 'a lot'; give finetune a timeout_s"),
    ("prune", "ratio is 0.5, macs is 2: the ratio is wrong", "--ratio is 0.5, --macs is 2: the ratio is wrong"),
    ("benchmark", "pass a sample, or input_shapes.", "pass a sample, or --shape."),
    ("tune", "give one of epochs, steps or timeout_s, the", "give one of --epochs, --steps or --timeout, the"),
    ("tune", "the training: epochs and timeout_s are given.", "the training: --epochs and --timeout are given."),
    ("tune", "lora_rank and sparsity are given: adapters", "--lora-rank and --sparsity are given: adapters"),
    ("tune", "one of scale_cells, batch_size or steps", "one of scale_cells, --batch-size or steps"),
    ("search", "give one of epochs, steps or timeout_s, the", "give one of epochs, steps or timeout_s, the"),
    ("search", "n_trials is 0: it must be above 0", "n_trials is 0: it must be above 0"),
]
# What is needed to call a command.
GIVEN = {
    "search": ["experiment.yaml", "--max-drop", "a lot", "--timeout", "5"],
    "quantize": ["m.xml", "-o", "o.xml", "--calibration", "c.npy"],
    "evaluate": ["m.xml", "--validation", "v.npy"],
    "profile": ["m.xml"],
    "benchmark": ["m.xml"],
    "tune": ["m.xml", "-o", "o.xml", "--data", "d.npy"],
}


@pytest.mark.parametrize(("command", "text", "said"), SAID, ids=[f"{each[0]}: {each[1][:30]}" for each in SAID])
def test_parameters_are_said_as_options(command, text, said):
    context = cli.commands[command].make_context(command, [*GIVEN.get(command, ["m.xml", "-o", "o.xml"])])
    assert in_options(text, context) == said
