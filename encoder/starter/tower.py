"""Defines the frozen image tower: EfficientNet-Lite0, which maps uint8 pixels to features of its last layer and of its
middle layers."""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from encoder.starter.errors import MissingPackage

POOLED = 1280  # features of the globally pooled last layer
CLASSES = 1000  # ImageNet classes

# The last block of each of the five resolutions (128, 64, 32, 16, 8 px): 16 + 24 + 40 + 112 + 320 channels.
STAGE_ENDS = frozenset({0, 2, 4, 10, 15})
MID = 2 * (16 + 24 + 40 + 112 + 320)  # mean and maximum of each channel


class Tower(nn.Module):
    """Maps uint8 (n, 3, 256, 256) to pooled (n, 1280) >= 0 and mid (n, 1024). `mid` holds features of the middle
    layers, which still contain colour and texture."""

    def __init__(self, weights: Path) -> None:
        super().__init__()
        try:
            from efficientnet_lite_pytorch import EfficientNet
        except ImportError:
            raise MissingPackage("efficientnet-lite-pytorch==0.1.0") from None
        # The package's from_pretrained unpickles without weights_only, so a checked state dict is loaded instead.
        net = EfficientNet.from_name("efficientnet-lite0")
        net.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
        net.eval()
        self.stem = _fold(net._conv_stem, net._bn0)
        self.blocks = nn.ModuleList(_fold_block(block) for block in net._blocks)
        self.top = _fold(net._conv_head, net._bn1)
        self.classifier: nn.Linear = net._fc
        self.requires_grad_(False)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in torch's stubs

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        last, mid = self.maps(pixels)
        # The network was trained with mean pooling. Here the root mean square is used, because the mean would let a
        # large background hide an object that fills only part of the image.
        return last.square().mean((2, 3)).sqrt(), mid

    def maps(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the last layer before pooling, (n, 1280, side / 32, side / 32), and mid."""
        # The pixels come to the device as bytes, a quarter of the size of floats, and are scaled here.
        scaled = (pixels.to(self.classifier.weight.dtype) - 127.0) / 128.0
        x = nn.functional.relu6(self.stem(scaled.contiguous(memory_format=torch.channels_last)))
        mid: list[Tensor] = []
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in STAGE_ENDS:
                mid += [x.mean((2, 3)), x.amax((2, 3))]
        return nn.functional.relu6(self.top(x)), torch.cat(mid, 1)

    def train(self, mode: bool = True) -> "Tower":
        # The tower stays frozen, even if a training loop switches the whole model to training mode.
        return super().train(False)


def _fold(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> nn.Conv2d:
    """Returns one convolution that gives the results of `conv` followed by `norm`, up to float rounding."""
    folded = fuse_conv_bn_eval(conv, norm)
    return _pad_inside(folded)


def _pad_inside(conv: nn.Conv2d) -> nn.Conv2d:
    """If the padding is symmetric, let the convolution pad its input itself, which saves a copy of the input."""
    padding = getattr(conv, "static_padding", None)
    if isinstance(padding, nn.ZeroPad2d):
        left, right, top, bottom = padding.padding
        if left == right and top == bottom:
            conv.padding = (top, left)
            conv.static_padding = nn.Identity()
    return conv


def _fold_block(block: nn.Module) -> nn.Module:
    """Fold the convolutions of an inverted residual block in place, and let its activation work in place."""
    for conv, norm in (("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2")):
        if hasattr(block, conv):
            setattr(block, conv, _fold(getattr(block, conv), getattr(block, norm)))
            setattr(block, norm, nn.Identity())
    block._swish = nn.ReLU6(inplace=True)
    return block
