"""Creates folders of tiny models with real architectures, processors and files but random weights: CLIP, SigLIP,
SigLIP 2, a multilingual text tower beside CLIP's image tower, and OpenCLIP. A tower is the part of a model that encodes
texts or images."""

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import (
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    CLIPProcessor,
    DistilBertConfig,
    DistilBertModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
    Siglip2Tokenizer,
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
    return _make_siglip(folder, _tokenizer(None, "</s>", 64), seed, dimension)


def make_siglip2(folder: Path, seed: int = 0, dimension: int = SIGLIP_DIMENSION) -> Path:
    """Makes a SigLIP 2 of fixed resolution: the towers of SigLIP with Gemma's tokenizer for texts in lower case."""
    pieces = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", *(f"<0x{byte:02X}>" for byte in range(256)), "\u2581"]
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    vocabulary = {piece: n for n, piece in enumerate(pieces + letters)}
    return _make_siglip(folder, Siglip2Tokenizer(vocabulary, [], model_max_length=64), seed, dimension)


def _make_siglip(folder: Path, tokenizer: PreTrainedTokenizerBase, seed: int, dimension: int) -> Path:
    torch.manual_seed(seed)
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


def make_multilingual_clip(folder: Path, seed: int = 0) -> Path:
    """Makes a CLIP whose texts go through another text tower, as clip-ViT-B-32-multilingual-v1 does: DistilBERT, the
    mean of its tokens, and a projection into CLIP's space. docs/models.md saves such a pair in the same way."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Router
    from sentence_transformers.sentence_transformer.modules import Dense, Pooling, Transformer

    image = SentenceTransformer(str(make_clip(folder / "clip", seed)), device="cpu")
    torch.manual_seed(seed + 1)
    tokenizer = _tokenizer("[CLS]", "[SEP]", 128)
    config = DistilBertConfig(vocab_size=len(tokenizer), dim=32, hidden_dim=64, n_layers=2, n_heads=2)
    DistilBertModel(config).save_pretrained(folder / "text", safe_serialization=True)
    tokenizer.save_pretrained(folder / "text")
    transformer = Transformer(str(folder / "text"))
    text = [transformer, Pooling(32, pooling_mode="mean"), Dense(32, CLIP_DIMENSION, bias=False)]
    router = Router({"text": text, "image": list(image)}, default_route="text",
                    route_mappings={(None, "text"): "text", (None, "image"): "image"})  # fmt: skip
    SentenceTransformer(modules=[router], device="cpu").save(str(folder / "pair"))
    return folder / "pair"


# Configurations of OpenCLIP. `vit` is a ViT with the tokenizer of CLIP. `siglip` has what SigLIP and Marqo's models
# have: an image tower of timm, squashed images, and a tokenizer beside the weights.
OPEN_CLIP: dict[str, dict[str, Any]] = {
    "vit": {
        "model_cfg": {
            "embed_dim": CLIP_DIMENSION,
            "vision_cfg": {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 8},
            "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
        },
        "preprocess_cfg": {"mean": [0.48, 0.45, 0.4], "std": [0.26, 0.26, 0.27]},
    },
    "siglip": {
        "model_cfg": {
            "embed_dim": 32,
            "init_logit_bias": -10,
            "custom_text": True,
            "vision_cfg": {
                "image_size": 32,
                "timm_model_name": "test_vit",
                "timm_pool": "avg",
                "timm_proj": "linear",
            },
            "text_cfg": {
                "context_length": 64,
                "vocab_size": 258,
                "hf_tokenizer_name": "timm/ViT-B-16-SigLIP",
                "tokenizer_kwargs": {"clean": "canonicalize"},
                "width": 32,
                "heads": 2,
                "layers": 2,
                "no_causal_mask": True,
                "proj_bias": True,
                "pool_type": "last",
            },
        },
        "preprocess_cfg": {
            "mean": [0.5, 0.5, 0.5],
            "std": [0.5, 0.5, 0.5],
            "interpolation": "bilinear",
            "resize_mode": "squash",
        },
    },
}


def make_open_clip(folder: Path, kind: str = "vit", seed: int = 0) -> Path:
    """Makes the files of an OpenCLIP model on a hub: a configuration, weights and, for `siglip`, a tokenizer."""
    import open_clip
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "open_clip_config.json").write_text(json.dumps(OPEN_CLIP[kind]))
    if kind == "siglip":
        _tokenizer(None, "</s>", 64).save_pretrained(folder)
    torch.manual_seed(seed)
    model = open_clip.create_model(f"local-dir:{folder}", load_weights=False)
    save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()},
              folder / "open_clip_model.safetensors")  # fmt: skip
    return folder
