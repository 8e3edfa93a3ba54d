import pytest
import torch
from torch import nn

from occbench.analyse.decoder import DECODER_SIZES, build_decoder
from occbench.core.errors import ConfigError


@pytest.mark.parametrize("size_px", DECODER_SIZES)
def test_every_size_decodes_to_its_edge_in_0_to_1(size_px):
    decoder = build_decoder(dim=5, size_px=size_px, width=32, seed=0).eval()
    images = decoder(torch.randn(2, 5, generator=torch.Generator().manual_seed(1)))
    assert images.shape == (2, 3, size_px, size_px)
    assert 0 <= images.min() < images.max() <= 1


def test_the_papers_size_has_dcgans_five_transposed_convolutions_and_two_more():
    decoder = build_decoder(dim=512, size_px=256, width=1024, seed=0)
    stages = [layer for layer in decoder.layers if isinstance(layer, nn.ConvTranspose2d)]
    assert [stage.out_channels for stage in stages] == [1024, 512, 256, 128, 64, 32, 16]
    assert stages[0].in_channels == 512
    assert isinstance(decoder.layers[-2], nn.Conv2d)


def test_first_weights_follow_from_the_seed_alone():
    torch.manual_seed(5)
    state = torch.get_rng_state()
    one, same, other = (build_decoder(4, 16, 16, seed) for seed in (0, 0, 1))
    first, again, different = (decoder.layers[0].weight for decoder in (one, same, other))
    assert torch.equal(first, again)
    assert not torch.equal(first, different)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(("size_px", "width"), [(48, 64), (64, 8)])
def test_other_sizes_are_refused(size_px, width):
    with pytest.raises(ConfigError, match=f"asked for {size_px} px and {width} channels"):
        build_decoder(4, size_px, width, 0)
