"""Creates folders of tiny CLIP and SigLIP models with real architectures, processors and files but random weights."""

from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import (
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    CLIPProcessor,
    PreTrainedTokenizerFast,
    SiglipConfig,
    SiglipImageProcessor,
    SiglipModel,
    SiglipProcessor,
)

CLIP_DIMENSION = 24
SIGLIP_DIMENSION = 40


def _tokenizer(start: str | None, end: str, length: int) -> PreTrainedTokenizerFast:
    """Returns a byte-level tokenizer without merges, which can tokenize every text."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    special = [token for token in ("<pad>", start, end) if token]
    # As in the real models, the end token has the highest id, because CLIP takes the text vector at the token with
    # the highest id.
    vocabulary = {token: n for n, token in enumerate(alphabet + special)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token=end))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{start} $A {end}" if start else f"$A {end}",
        special_tokens=[(token, vocabulary[token]) for token in (start, end) if token],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=start,
        eos_token=end,
        unk_token=end,
        pad_token="<pad>",
        model_max_length=length,
    )


def make_clip(folder: Path, seed: int = 0, dimension: int = CLIP_DIMENSION) -> Path:
    torch.manual_seed(seed)
    tokenizer = _tokenizer("<|startoftext|>", "<|endoftext|>", 77)
    towers = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = CLIPConfig(
        text_config={
            **towers,
            "vocab_size": len(tokenizer),
            "max_position_embeddings": 77,
            "bos_token_id": tokenizer.bos_token_id,
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
        },
        vision_config={**towers, "image_size": 32, "patch_size": 8},
        projection_dim=dimension,
    )
    size = {"shortest_edge": 32}
    processor = CLIPProcessor(CLIPImageProcessor(size=size, crop_size={"height": 32, "width": 32}), tokenizer)
    CLIPModel(config).save_pretrained(folder, safe_serialization=True)
    processor.save_pretrained(folder)
    return folder


def make_siglip(folder: Path, seed: int = 0, dimension: int = SIGLIP_DIMENSION) -> Path:
    torch.manual_seed(seed)
    tokenizer = _tokenizer(None, "</s>", 64)
    towers = {"hidden_size": dimension, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = SiglipConfig(
        text_config={
            **towers,
            "vocab_size": len(tokenizer),
            "max_position_embeddings": 64,
            "projection_size": dimension,
            "bos_token_id": tokenizer.eos_token_id,
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
        },
        vision_config={**towers, "image_size": 32, "patch_size": 8},
    )
    processor = SiglipProcessor(SiglipImageProcessor(size={"height": 32, "width": 32}), tokenizer)
    SiglipModel(config).save_pretrained(folder, safe_serialization=True)
    processor.save_pretrained(folder)
    return folder
