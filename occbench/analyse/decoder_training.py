"""Training a decoder: mean squared error, one file after every epoch, and a stopped run goes on where it was.

The order of an epoch is a function of the seed and the epoch's number, so that a resumed decoder is the uninterrupted
one. Adam with rate 2e-4 and betas (0.5, 0.999), batches of 64: DCGAN's [inference: S.II names the loss alone].
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from occbench.analyse.decoder import Decoder, build_decoder
from occbench.analyse.decoder_data import Decodable
from occbench.bench.images.images import batches
from occbench.bench.training.states import load_state, save_state
from occbench.core.canonical import fingerprint
from occbench.core.errors import ConfigError
from occbench.core.seeding import stream

__all__ = ["DecoderRule", "decode", "train_decoder"]

_BATCH: Final = 64
_RATE: Final = 2e-4
_BETAS: Final = (0.5, 0.999)


@dataclass(frozen=True)
class DecoderRule:
    """How a decoder is built and trained.

    Attributes:
        size_px: edge of its images.
        width: channels of its first stage.
        epochs: passes over all images and conditions.
        seed: of its first weights and the order of its examples.

    Raises:
        ConfigError: no epoch.
    """

    size_px: int = 256
    width: int = 1024
    epochs: int = 20
    seed: int = 0

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise ConfigError(f"--epochs needs 1 epoch or more, found {self.epochs}.")


def train_decoder(
    data: Decodable,
    rule: DecoderRule,
    folder: Path,
    device: torch.device,
    on_epoch: Callable[[int, float], None] = lambda _epoch, _loss: None,
) -> Decoder:
    """Return a decoder trained on vectors and their images, in evaluation mode; finished epochs are not run again.

    Args:
        data: N images under 1 + K conditions.
        rule: how.
        folder: for ``decoder.safetensors``.
        device: where it trains.
        on_epoch: told after every epoch its number, from 0, and the mean squared error over it, pixels in 0..1.

    Raises:
        ConfigError: a size that no decoder has, or the folder holds a decoder that was trained otherwise, or longer.
        DatasetError: its file is damaged.
    """
    decoder = build_decoder(data.vectors.shape[-1], rule.size_px, rule.width, rule.seed).to(device)
    optimizer = torch.optim.Adam(decoder.parameters(), lr=_RATE, betas=_BETAS)
    identity = fingerprint(
        [rule.size_px, rule.width, rule.seed, list(data.vectors.shape), float(data.vectors.double().sum())]
    )
    path = folder / "decoder.safetensors"
    done = _begun(path, decoder, optimizer, identity, rule)
    for epoch in range(done, rule.epochs):
        loss = _epoch(decoder, optimizer, data, stream(rule.seed, "decode", "order", epoch).permutation(_count(data)))
        save_state(path, decoder, optimizer, {"identity": identity, "epochs": str(epoch + 1)})
        on_epoch(epoch, loss)
    return decoder.eval()


def decode(decoder: Decoder, vectors: Tensor) -> Tensor:
    """Return images float32[B, 3, S, S] in 0..1 of vectors float32[B, D], on the CPU, no gradients."""
    device = next(decoder.parameters()).device
    with torch.no_grad():
        return torch.cat([decoder(vectors[rows].to(device)).cpu() for rows in batches(len(vectors), _BATCH)])


def _begun(path: Path, decoder: Decoder, optimizer: torch.optim.Optimizer, identity: str, rule: DecoderRule) -> int:
    """Load what an earlier run left; return how many epochs it had finished."""
    if not path.is_file():
        return 0
    notes = load_state(path, decoder, optimizer) or {}
    epochs = int(notes.get("epochs", "0"))
    if notes.get("identity") != identity or epochs > rule.epochs:
        raise ConfigError(
            f"{path} is a decoder of {epochs} epochs that was trained from other vectors, another seed or longer than "
            f"the {rule.epochs} epochs asked for: give another --out, or delete it."
        )
    return epochs


def _epoch(decoder: Decoder, optimizer: torch.optim.Optimizer, data: Decodable, order: object) -> float:
    decoder.train()
    device = next(decoder.parameters()).device
    columns = data.vectors.shape[1]
    places = torch.as_tensor(order)
    total, count = 0.0, 0
    for part in batches(len(places), _BATCH):
        batch = places[part]
        if len(batch) == 1 and count:  # BatchNorm cannot normalise what stands alone
            continue
        rows, conditions = batch // columns, batch % columns
        images = data.images[rows, conditions].to(device).float() / 255
        loss = mse_loss(decoder(data.vectors[rows, conditions].to(device)), images)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        total, count = total + float(loss.detach()) * len(batch), count + len(batch)
    return total / count


def _count(data: Decodable) -> int:
    return data.vectors.shape[0] * data.vectors.shape[1]
