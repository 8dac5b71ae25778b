"""A loop of a user's own on the module of a model: an optimizer, a saved state, and the model that comes of it."""

import copy

import numpy as np
import pytest
from layer_cases import LAYERS
from networks import conv_net, images
from twins import TOLERANCE, inputs_of, largest_error, run_in_openvino, run_in_torch

import autoq

pytestmark = pytest.mark.torch


def data() -> tuple[np.ndarray, np.ndarray]:
    photos = images(48)
    return photos, photos.mean((2, 3)).argmax(1)


@pytest.mark.parametrize("case", ["quantized", "loop", "strided slice", "reverse by marks"])
def test_a_module_is_copied_and_kept_as_a_whole(case, tmp_path):
    import torch

    from autoq.training import to_torch, write_back

    if case == "quantized":
        model = autoq.quantize(autoq.read_model(conv_net()), data()[0], fold_weights=False, progress=False)
    else:
        model, _ = LAYERS[case]()
    module = to_torch(model)
    torch.save(copy.deepcopy(module), tmp_path / "module.pt")
    kept = copy.deepcopy(torch.load(tmp_path / "module.pt", weights_only=False))
    inputs = inputs_of(model)
    for mine, theirs in zip(run_in_torch(kept, inputs), run_in_torch(module, inputs), strict=True):
        assert torch.equal(mine, theirs)
    names = [name for name, value in kept.named_parameters() if value.requires_grad]
    assert names == [name for name, value in module.named_parameters() if value.requires_grad]
    for value in kept.parameters():
        value.data.mul_(1.5)
    written = run_in_openvino(write_back(kept, model), inputs)
    for own, theirs in zip(written, run_in_torch(kept, inputs), strict=True):
        # OpenVINO sums 8-bit numbers elsewhere.
        assert largest_error(own, theirs.detach().numpy()) < (0.1 if case == "quantized" else TOLERANCE)


def run_epochs(module, count: int, state=None):
    """Trains with Adam; gives the losses of all epochs and the optimizer's state."""
    import torch

    photos, labels = map(torch.from_numpy, data())
    optimizer = torch.optim.Adam([value for value in module.parameters() if value.requires_grad], lr=5e-3)
    if state is not None:
        optimizer.load_state_dict(state)
    module.train()
    losses = []
    for _ in range(count):
        for part in torch.arange(len(photos)).split(16):
            loss = torch.nn.functional.cross_entropy(module(photos[part]), labels[part])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        losses.append(float(loss.detach()))
    return losses, optimizer.state_dict()


@pytest.mark.parametrize("quantized", [False, True])
def test_what_a_loop_has_learned_is_in_the_model(quantized, tmp_path):
    import torch

    from autoq.training import to_torch, write_back

    model = autoq.read_model(conv_net())
    if quantized:
        model = autoq.quantize(model, data()[0], fold_weights=False, progress=False)
    module = to_torch(model)
    losses, state = run_epochs(module, 4)
    torch.save({"module": module.state_dict(), "optimizer": state}, tmp_path / "checkpoint.pt")
    more, _ = run_epochs(module, 4, state)
    assert more[-1] < losses[0]

    saved = torch.load(tmp_path / "checkpoint.pt")
    resumed = to_torch(model)
    resumed.load_state_dict(saved["module"])
    again, _ = run_epochs(resumed, 4, saved["optimizer"])
    assert again == more

    tuned = write_back(resumed.eval(), model)
    photo = data()[0][:1]
    made = resumed(torch.from_numpy(photo)).detach().numpy()
    apart = largest_error(made, run_in_openvino(tuned, [photo])[0])
    # OpenVINO sums 8-bit numbers elsewhere.
    assert apart < (0.05 if quantized else TOLERANCE)
    assert largest_error(made, run_in_openvino(model, [photo])[0]) > apart
