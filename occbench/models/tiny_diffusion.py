"""A tiny pipeline shaped like Stable Diffusion's inpainting one, of the real classes: for tests and for training here.

The U-Net takes the noisy latents, the mask and the masked image's latents (9 channels), as those of Stable Diffusion's
inpainting models do [Rombach et al., CVPR 2022, section 4.5]. The text encoder reads characters: its vocabulary is the
256 byte symbols, alone and at the end of a word.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import torch

from occbench.core.seeding import stream

__all__ = ["TinyDiffusion"]

_START: Final = "<|startoftext|>"
_END: Final = "<|endoftext|>"
#: Tokens of a prompt, as CLIP's.
_PROMPT_TOKENS: Final = 77


@dataclass(frozen=True)
class TinyDiffusion:
    """The sizes of a tiny inpainting pipeline.

    Attributes:
        size_px: side of its images.
        vae_widths: channels of the autoencoder's stages; each but the first halves the side.
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

        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(stream(seed, "tiny_diffusion", "weights").integer(0, 2**31))
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
        return AutoencoderKL(
            block_out_channels=self.vae_widths,
            down_block_types=("DownEncoderBlock2D",) * stages,
            up_block_types=("UpDecoderBlock2D",) * stages,
            layers_per_block=1,
            latent_channels=4,
            # with groups of single channels the normalisation would take every channel's mean away, and the colours
            norm_num_groups=2,
            sample_size=self.size_px,
        ).eval()

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
