"""Builds models with random weights, which need no download. Three of them have published architectures, so they are as
fast as the published models."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    CLIPProcessor,
    PreTrainedTokenizerFast,
    SiglipConfig,
    SiglipModel,
)

_BASE = {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12}
_LARGE = {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "num_attention_heads": 16}
_CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
_SIGLIP = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


@dataclass(frozen=True)
class Architecture:
    name: str
    family: str
    vision: dict[str, int]
    patch: int  # side of a patch in pixels
    dimension: int
    gflop: float  # GFLOP per image
    goal: int  # at least this many images/s on an H100
    side: int = 224  # side of an input image in pixels

    @property
    def normalisation(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        return _CLIP if self.family == "clip" else _SIGLIP

    def model(self) -> Any:
        torch.manual_seed(0)
        vision = {**self.vision, "patch_size": self.patch, "image_size": self.side}
        if self.family == "clip":
            return CLIPModel(CLIPConfig(vision_config=vision, projection_dim=self.dimension)).eval()
        return SiglipModel(SiglipConfig(vision_config=vision)).eval()


VIT_B_32 = Architecture("CLIP ViT-B/32", "clip", _BASE, 32, 512, 8.8, 55_000)
SIGLIP_B_16 = Architecture("SigLIP B/16", "siglip", _BASE, 16, 768, 35, 14_000)
VIT_L_14 = Architecture("CLIP ViT-L/14", "clip", _LARGE, 14, 768, 162, 3_200)


# With this small architecture, the decoding of the images takes most of the time.
_SMALL = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 1, "num_attention_heads": 2}
SMALL = Architecture("CLIP, one layer of 64", "clip", _SMALL, 32, 512, 0, 0)


def save_clip(folder: Path, architecture: Architecture = VIT_B_32) -> Path:
    """Save a model of this architecture in `folder`, with a byte-level tokenizer. The folder can then be loaded like
    the folder of a published model."""
    alphabet = ["<|startoftext|>", "<|endoftext|>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    tokenizer = Tokenizer(models.BPE(vocab={token: n for n, token in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<|startoftext|> $A <|endoftext|>", special_tokens=[("<|startoftext|>", 0), ("<|endoftext|>", 1)]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<|startoftext|>",
        eos_token="<|endoftext|>",
        pad_token="<|endoftext|>",
        model_max_length=77,
    )
    model = architecture.model()
    model.config.text_config.eos_token_id = 1
    model.save_pretrained(folder)
    CLIPProcessor(CLIPImageProcessor(), fast).save_pretrained(folder)
    return folder
