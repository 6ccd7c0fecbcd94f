"""Defines image towers of CLIP and SigLIP that are faster than the towers in transformers. They use the weights of the
checkpoint and give the same results up to rounding, with fewer passes over memory.

The main differences from the towers in transformers are these. The input is bytes, and the normalisation of the bytes
is folded into the patch embedding. One matrix product computes queries, keys and values. The activation QuickGELU
becomes SiLU, and its factor is folded into the weights. CLIP's last layer computes queries and outputs only for the
class token, because no other output is used.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, normalize, scaled_dot_product_attention

FAMILIES = ("clip", "siglip")
_QUICK_GELU_FACTOR = 1.702


class FastImageTower(nn.Module):
    """Maps images, uint8 (n, height, width, 3), to unit vectors, float32 (n, dimension).

    `model` is a transformers CLIPModel or SiglipModel. `mean` and `std` come from the model's processor, and apply to
    values from 0 to 1. On a GPU, everything but the last normalisation is computed in `dtype`. On a CPU, only the
    attention and the MLP of the layers use `dtype`; everything else, such as norms and residual sums, stays in float32.
    This costs little time, and makes the difference from the vectors of float32 ten times smaller.
    """

    def __init__(self, model: Any, mean: Sequence[float], std: Sequence[float], dtype: torch.dtype) -> None:
        super().__init__()
        vision = model.vision_model
        embeddings, config = vision.embeddings, model.config.vision_config
        on_cpu = embeddings.patch_embedding.weight.device.type == "cpu"
        products, dtype = dtype, torch.float32 if on_cpu else dtype
        self.patch = int(config.patch_size)
        self.heads = int(config.num_attention_heads)
        weight, bias = _fold(embeddings.patch_embedding, mean, std)
        self.patch_weight, self.patch_bias = nn.Parameter(weight.to(dtype)), nn.Parameter(bias.to(dtype))
        position = embeddings.position_embedding.weight
        token = getattr(embeddings, "class_embedding", None)
        self.first = None if token is None else nn.Parameter((token + position[0]).to(dtype)[None, None])
        self.position = nn.Parameter((position if token is None else position[1:]).to(dtype))
        self.before = getattr(vision, "pre_layrnorm", None)
        layers = [_Layer(layer, self.heads) for layer in vision.encoder.layers]
        self.after = vision.post_layernorm
        self.pool = getattr(vision, "head", None)
        self.project = getattr(model, "visual_projection", None)
        self.to(dtype)
        self.layers = nn.ModuleList(layer.to_dtypes(dtype, products) for layer in layers)
        self.requires_grad_(False)

    def forward(self, pixels: Tensor) -> Tensor:
        n, height, width, _ = pixels.shape
        p = self.patch
        patches = pixels.view(n, height // p, p, width // p, p, 3).permute(0, 1, 3, 2, 4, 5)
        centred = patches.reshape(n, -1, p * p * 3).to(self.patch_weight.dtype) - 128  # -128..127 is exact in bfloat16
        x = linear(centred, self.patch_weight, self.patch_bias) + self.position
        if self.first is not None:
            x = torch.cat([self.first.expand(n, 1, -1), x], 1)
        if self.before is not None:
            x = self.before(x)
        for layer in self.layers[:-1]:
            x = layer(x)
        x = self.layers[-1](x, 1 if self.pool is None else None)
        x = self.after(x[:, 0]) if self.pool is None else self.pool(self.after(x))
        if self.project is not None:
            x = self.project(x)
        return normalize(x.float(), dim=-1)


class _Layer(nn.Module):
    """A pre-norm transformer layer. The layer computes only the outputs of the first `read` tokens, or the outputs of
    all tokens if `read` is None."""

    def __init__(self, layer: Any, heads: int) -> None:
        super().__init__()
        attention = layer.self_attn
        parts = (attention.q_proj, attention.k_proj, attention.v_proj)
        self.heads = heads
        _fold_quick_gelu(layer.mlp)
        self.norm1, self.norm2, self.mlp, self.out = layer.layer_norm1, layer.layer_norm2, layer.mlp, attention.out_proj
        self.weight = nn.Parameter(torch.cat([part.weight for part in parts]))
        self.bias = nn.Parameter(torch.cat([part.bias for part in parts]))

    def to_dtypes(self, sums: torch.dtype, products: torch.dtype) -> "_Layer":
        self.to(products)
        self.norm1.to(sums)
        self.norm2.to(sums)
        return self

    def forward(self, x: Tensor, read: int | None = None) -> Tensor:
        n, tokens, width = x.shape
        normed = self.norm1(x).to(self.weight.dtype)
        if read is None:
            q, k, v = linear(normed, self.weight, self.bias).view(n, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        else:
            x = x[:, :read]
            q = linear(normed[:, :read], self.weight[:width], self.bias[:width])
            q = q.view(n, read, self.heads, -1).transpose(1, 2)
            kv = linear(normed, self.weight[width:], self.bias[width:])
            k, v = kv.view(n, tokens, 2, self.heads, -1).permute(2, 0, 3, 1, 4)
        attended = scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, -1, width)
        x = x + self.out(attended)
        return x + self.mlp(self.norm2(x).to(self.weight.dtype))  # type: ignore[no-any-return]


def _fold_quick_gelu(mlp: Any) -> None:
    """Replaces the activation QuickGELU by SiLU, because QuickGELU takes three passes over memory and SiLU takes one.
    QuickGELU(x) is x * sigmoid(1.702 x) and SiLU(y) is y * sigmoid(y), so the factor goes into the weights and the bias
    of the layer before the activation, and its inverse into the weights of the layer after it. Any other activation
    stays."""
    if type(mlp.activation_fn).__name__ != "QuickGELUActivation":
        return
    with torch.no_grad():
        mlp.fc1.weight.mul_(_QUICK_GELU_FACTOR)
        mlp.fc1.bias.mul_(_QUICK_GELU_FACTOR)
        mlp.fc2.weight.div_(_QUICK_GELU_FACTOR)
    mlp.activation_fn = nn.SiLU()


def _fold(conv: nn.Conv2d, mean: Sequence[float], std: Sequence[float]) -> tuple[Tensor, Tensor]:
    """Returns the weight and bias of a matrix product that equals `conv` on normalised values. The input of the product
    is a patch's bytes minus 128, ordered by row, column and channel."""
    weight = conv.weight.double()
    spread = torch.tensor(std, dtype=torch.double, device=weight.device)[:, None, None]
    centre = torch.tensor(mean, dtype=torch.double, device=weight.device)[:, None, None]
    bias = (weight * ((128 / 255 - centre) / spread)).sum((1, 2, 3))
    if conv.bias is not None:
        bias = bias + conv.bias.double()
    scaled = (weight / (255 * spread)).permute(0, 2, 3, 1).flatten(1)
    return scaled, bias
