"""The feature maps and the classifier of the image tower are those of the published network. The tower stays in
evaluation mode after a call of train()."""

import numpy as np
import pytest
import torch
from efficientnet_lite_pytorch import EfficientNet

from encoder.starter import golden, pixels, weights
from encoder.starter.tower import MID, POOLED, Tower


@pytest.fixture(scope="module")
def tower() -> Tower:
    return Tower(weights.image_file())


def drawings() -> torch.Tensor:
    return torch.from_numpy(pixels.batch(golden.images())).permute(0, 3, 1, 2)


def test_folding_the_batch_norms_does_not_change_the_output_of_the_network(tower: Tower) -> None:
    net = EfficientNet.from_name("efficientnet-lite0")
    net.load_state_dict(torch.load(weights.image_file(), weights_only=True))
    with torch.inference_mode():
        published = net.eval()((drawings().float() - 127) / 128)
        last, _ = tower.maps(drawings())
        ours = tower.classifier(last.mean((2, 3)))
    torch.testing.assert_close(ours, published, atol=1e-4, rtol=0)


def test_pooled_features_lie_between_the_mean_and_the_maximum(tower: Tower) -> None:
    with torch.inference_mode():
        last, _ = tower.maps(drawings())
        pooled, mid = tower(drawings())
    assert (pooled.shape, mid.shape) == ((3, POOLED), (3, MID))
    assert (pooled >= last.mean((2, 3)) - 1e-6).all()
    assert (pooled <= last.amax((2, 3)) + 1e-6).all()


def test_the_tower_stays_in_evaluation_mode_and_its_parameters_need_no_gradient(tower: Tower) -> None:
    assert not tower.train().training
    assert not any(parameter.requires_grad for parameter in tower.parameters())


def test_a_drawn_clock_is_classified_as_a_clock(tower: Tower) -> None:
    with torch.inference_mode():
        logits = tower.classifier(tower(drawings()[1:2])[0])
    wall_clock, analog_clock = 892, 409
    assert int(np.asarray(logits[0]).argmax()) in (wall_clock, analog_clock)
