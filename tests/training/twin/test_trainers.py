"""A training by another library's loop: Accelerate's, and Lightning's."""

import numpy as np
import pytest
from networks import conv_net, images
from twins import TOLERANCE, largest_error, run_in_openvino

import autoq

pytestmark = [pytest.mark.torch, pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def photos() -> np.ndarray:
    return images(48)


def loader(photos: np.ndarray):
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    labels = photos.mean((2, 3)).argmax(1)
    return DataLoader(TensorDataset(torch.from_numpy(photos), torch.from_numpy(labels)), batch_size=16)


def check(losses: list[float], module, model, photos: np.ndarray) -> None:
    """The loss has fallen, and the model has what the module has learned."""
    import torch

    from autoq.training import write_back

    assert np.mean(losses[-3:]) < np.mean(losses[:3])
    tuned, photo = write_back(module.cpu().eval(), model), photos[:1]
    learned = module(torch.from_numpy(photo)).detach().numpy()
    assert largest_error(learned, run_in_openvino(tuned, [photo])[0]) < TOLERANCE
    assert largest_error(learned, run_in_openvino(model, [photo])[0]) > 10 * TOLERANCE


def test_accelerate_trains_a_model(photos):
    import torch

    accelerate = pytest.importorskip("accelerate")
    from autoq.training import to_torch

    model = autoq.read_model(conv_net())
    module = to_torch(model)
    optimizer = torch.optim.Adam([value for value in module.parameters() if value.requires_grad], lr=5e-3)
    accelerator = accelerate.Accelerator(cpu=True)
    module, optimizer, batches = accelerator.prepare(module, optimizer, loader(photos))
    losses = []
    for _ in range(8):
        for inputs, labels in batches:
            loss = torch.nn.functional.cross_entropy(module(inputs), labels)
            accelerator.backward(loss)
            optimizer.step()
            optimizer.zero_grad()
            losses.append(loss.item())
    check(losses, accelerator.unwrap_model(module), model, photos)


def test_lightning_trains_a_model(photos, tmp_path):
    import torch

    lightning = pytest.importorskip("lightning")
    from autoq.training import to_torch

    class Tuned(lightning.LightningModule):
        def __init__(self, model) -> None:
            super().__init__()
            self.module = to_torch(model)
            self.losses = []

        def training_step(self, batch, _):
            inputs, labels = batch
            loss = torch.nn.functional.cross_entropy(self.module(inputs), labels)
            self.losses.append(loss.item())
            return loss

        def configure_optimizers(self):
            return torch.optim.Adam([value for value in self.parameters() if value.requires_grad], lr=5e-3)

    model = autoq.read_model(conv_net())
    tuned = Tuned(model)
    trainer = lightning.Trainer(
        max_epochs=8, accelerator="cpu", logger=False, enable_progress_bar=False, default_root_dir=tmp_path
    )
    trainer.fit(tuned, loader(photos))
    check(tuned.losses, tuned.module, model, photos)
    saved = next(tmp_path.rglob("*.ckpt"))
    resumed = Tuned.load_from_checkpoint(saved, model=model, weights_only=False)
    for name, value in tuned.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], value)
