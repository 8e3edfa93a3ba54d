"""A tiny pipeline shaped like Stable Diffusion's inpainting one, of the real classes: for tests and for training here.

The U-Net takes the noisy latents, the mask and the masked image's latents (9 channels), as those of Stable Diffusion's
inpainting models do [Rombach et al., CVPR 2022, section 4.5]. The text encoder reads characters: its vocabulary is the
256 byte symbols, alone and at the end of a word.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import torch

from occbench.core.seeding import stream, torch_seeded

__all__ = ["TinyDiffusion"]

_START: Final = "<|startoftext|>"
_END: Final = "<|endoftext|>"
#: Of the constant channels in ``_pass_through``: large beside pixels, small enough for half precision.
_LARGE: Final = 100.0
#: Where SiLU is the identity to 1e-3 for pixel values in -1..1, minus that difference at its middle.
_LINEAR: Final = 12.0
#: Logarithm of the latents' variance in ``_pass_through``.
_CERTAIN: Final = -20.0
#: Tokens of a prompt, as CLIP's.
_PROMPT_TOKENS: Final = 77


@dataclass(frozen=True)
class TinyDiffusion:
    """The sizes of a tiny inpainting pipeline.

    Attributes:
        size_px: side of its images.
        vae_widths: channels of the autoencoder's stages; each but the first halves the side. A single stage makes an
            autoencoder that need not be trained: its latents are the pixels themselves, and a channel of zeros.
        unet_widths: channels of the U-Net's stages; each but the first halves the side.
        attention: for each stage of the U-Net whether it attends to the prompt.
        text_width: channels of the text encoder.
        prediction: what the U-Net predicts: ``epsilon`` (the noise) or ``v_prediction`` [Salimans and Ho, ICLR 2022].
    """

    size_px: int = 64
    vae_widths: tuple[int, ...] = (8, 16, 16, 16)
    unet_widths: tuple[int, ...] = (16, 32, 32, 32)
    attention: tuple[bool, ...] = (True, True, True, False)
    text_width: int = 32
    prediction: str = "epsilon"

    @property
    def latent_px(self) -> int:
        """Side of the latents."""
        return self.size_px >> len(self.vae_widths) - 1

    def build(self, seed: int = 0) -> Any:  # noqa: ANN401 - diffusers ships no types
        """Return a ``StableDiffusionInpaintPipeline`` with random weights; the same seed gives the same."""
        from diffusers import DDIMScheduler, StableDiffusionInpaintPipeline

        with torch_seeded(stream(seed, "tiny_diffusion", "weights").seed()):
            vae, unet, tokenizer = self._vae(), self._unet(), _tokenizer()
            text_encoder = self._text_encoder(tokenizer)
        scheduler = DDIMScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            clip_sample=False,
            set_alpha_to_one=False,
            steps_offset=1,
            prediction_type=self.prediction,
        )
        return StableDiffusionInpaintPipeline(
            vae=vae,
            text_encoder=text_encoder,
            tokenizer=tokenizer,
            unet=unet,
            scheduler=scheduler,
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )

    def save(self, folder: Path, seed: int = 0) -> Path:
        """Write a random pipeline with ``save_pretrained`` and return its folder."""
        self.build(seed).save_pretrained(folder)
        return folder

    def _vae(self) -> Any:  # noqa: ANN401
        from diffusers import AutoencoderKL

        stages = len(self.vae_widths)
        vae: Any = AutoencoderKL(
            block_out_channels=self.vae_widths,
            down_block_types=("DownEncoderBlock2D",) * stages,
            up_block_types=("UpDecoderBlock2D",) * stages,
            layers_per_block=1,
            latent_channels=4,
            norm_num_groups=1 if stages == 1 else 8,
            mid_block_add_attention=stages > 1,
            scaling_factor=2.0 if stages == 1 else 0.18215,
            sample_size=self.size_px,
        )
        if stages == 1:
            _pass_through(vae)
        return vae.eval()

    def _unet(self) -> Any:  # noqa: ANN401
        from diffusers import UNet2DConditionModel

        return UNet2DConditionModel(
            sample_size=self.latent_px,
            in_channels=9,
            out_channels=4,
            block_out_channels=self.unet_widths,
            down_block_types=tuple("CrossAttnDownBlock2D" if on else "DownBlock2D" for on in self.attention),
            up_block_types=tuple("CrossAttnUpBlock2D" if on else "UpBlock2D" for on in reversed(self.attention)),
            layers_per_block=1,
            attention_head_dim=8,
            norm_num_groups=8,
            cross_attention_dim=self.text_width,
        ).eval()

    def _text_encoder(self, tokenizer: Any) -> Any:  # noqa: ANN401
        from transformers import CLIPTextConfig, CLIPTextModel

        config = CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=self.text_width,
            projection_dim=self.text_width,
            intermediate_size=2 * self.text_width,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=_PROMPT_TOKENS,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
        encoder: Any = CLIPTextModel(config)
        return encoder.eval()


@torch.no_grad()
def _pass_through(vae: Any) -> None:  # noqa: ANN401
    """Set the weights of a one-stage autoencoder so that encoding and decoding give the pixels back, to 1e-4.

    Residual blocks add nothing. What is left between the ends of each half is a normalisation and a SiLU. Two large
    constant channels decide the normalisation's variance, whatever the image; every colour stands there twice, once
    negative, which makes its mean 0; and a bias moves its values to where SiLU is the identity.
    """
    for half, (first, last) in (
        (vae.encoder, (vae.encoder.conv_in, vae.encoder.conv_out)),
        (vae.decoder, (vae.decoder.conv_in, vae.decoder.conv_out)),
    ):
        for block in half.modules():
            if type(block).__name__ == "ResnetBlock2D":
                block.conv2.weight.zero_()
                block.conv2.bias.zero_()
        width = first.out_channels
        _copy_channels(first, 3)
        first.weight[3:6] = -first.weight[:3]
        first.bias[-2:] = torch.tensor([_LARGE, -_LARGE])
        half.conv_norm_out.weight.fill_(_LARGE * math.sqrt(2 / width))
        half.conv_norm_out.bias.fill_(_LINEAR)
        _copy_channels(last, 3)
        last.bias[:3] = -_LINEAR
        last.bias[4:] = _CERTAIN  # the encoder's log variances; the decoder has no such channels
    _copy_channels(vae.quant_conv, 8)
    _copy_channels(vae.post_quant_conv, 4)


def _copy_channels(convolution: Any, count: int) -> None:  # noqa: ANN401
    """Make a convolution pass its first ``count`` channels on as they are, and nothing else."""
    convolution.weight.zero_()
    convolution.bias.zero_()
    centre = convolution.kernel_size[0] // 2
    for channel in range(count):
        convolution.weight[channel, channel, centre, centre] = 1.0


def _tokenizer() -> Any:  # noqa: ANN401
    """Return a ``CLIPTokenizer`` of single characters, from files, because its arguments differ between releases."""
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import CLIPTokenizer

    letters = sorted(ByteLevel.alphabet())
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), _START, _END]
    with TemporaryDirectory() as folder:
        vocabulary = {token: number for number, token in enumerate(tokens)}
        (Path(folder) / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
        (Path(folder) / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
        return CLIPTokenizer.from_pretrained(folder, model_max_length=_PROMPT_TOKENS)
