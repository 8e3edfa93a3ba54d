import pytest
import torch

from occbench.analyse.decoder_data import Decodable
from occbench.analyse.decoder_training import DecoderRule, decode, train_decoder
from occbench.core.errors import ConfigError

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def data():
    """Images of one colour each, which the vectors name."""
    draws = torch.Generator().manual_seed(0)
    colours = torch.randint(0, 256, (40, 2, 3), generator=draws, dtype=torch.uint8)
    images = colours[..., None, None].expand(40, 2, 3, 16, 16).contiguous()
    return Decodable(colours.float() / 255, images)


def test_it_learns_what_the_vectors_say(data, tmp_path):
    decoder = train_decoder(data, DecoderRule(16, 64, 60), tmp_path, CPU)
    made = decode(decoder, data.vectors[:, 0])
    truth = data.images[:, 0].float() / 255
    assert ((made - truth) ** 2).mean() < 0.5 * ((data.mean_image - truth) ** 2).mean()


def test_a_stopped_training_goes_on_to_the_very_weights_of_an_uninterrupted_one(data, tmp_path):
    whole = train_decoder(data, DecoderRule(16, 16, 4), tmp_path / "whole", CPU)
    train_decoder(data, DecoderRule(16, 16, 2), tmp_path / "parts", CPU)
    epochs = []
    parts = train_decoder(
        data, DecoderRule(16, 16, 4), tmp_path / "parts", CPU, lambda epoch, _loss: epochs.append(epoch)
    )
    assert epochs == [2, 3]
    mine, theirs = parts.state_dict(), whole.state_dict()
    assert all(torch.equal(mine[name], theirs[name]) for name in theirs)


def test_a_repeated_call_trains_nothing(data, tmp_path):
    train_decoder(data, DecoderRule(16, 16, 1), tmp_path, CPU)
    before = (tmp_path / "decoder.safetensors").stat().st_mtime_ns
    train_decoder(data, DecoderRule(16, 16, 1), tmp_path, CPU)
    assert (tmp_path / "decoder.safetensors").stat().st_mtime_ns == before


@pytest.mark.parametrize("rule", [DecoderRule(16, 16, 1), DecoderRule(16, 16, 2, seed=1)])
def test_a_decoder_of_another_rule_is_not_gone_on_with(data, tmp_path, rule):
    train_decoder(data, DecoderRule(16, 16, 2), tmp_path, CPU)
    with pytest.raises(ConfigError, match="a decoder of 2 epochs that was trained"):
        train_decoder(data, rule, tmp_path, CPU)


def test_no_epoch_is_refused():
    with pytest.raises(ConfigError, match="--epochs needs 1"):
        DecoderRule(epochs=0)
