"""Trains the head of the starter model (head.py) by symmetric contrastive learning on cached features. The training
takes about 20 CPU-seconds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import log_softmax, normalize

from encoder.starter.head import SHARED, Head
from encoder.starter.training.captions import Captions, usable_views
from encoder.starter.training.features import Features
from encoder.starter.training.pairs import Pair


def use_threads(count: int) -> None:
    """Set the number of torch threads in this process."""
    torch.set_num_threads(count)


@dataclass(frozen=True, slots=True)
class Material:
    """All pairs, with their features and captions, and the classifier. A split selects pairs by their row numbers."""

    pairs: Sequence[Pair]
    features: Features
    captions: Captions
    classes: np.ndarray  # float32 (1000, 384), text vectors of the classes
    classifier: nn.Linear  # the tower's last layer, 1280 -> 1000


# Directions in which many logits move together are damped with this exponent. 0 does not damp them, and a larger
# exponent damps them more.
DAMPING = 0.25


@dataclass(frozen=True, slots=True)
class Recipe:
    seed: int = 0
    epochs: int = 25
    batch: int = 512
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    dropout: float = 0.3
    scale: float = 10.0  # the factor of the cosines at the start; training changes the factor
    false_negative_cosine: float = 0.75  # two captions with a larger cosine are not negatives of each other
    pseudo_pairs: int = 128  # pseudo-pairs in each batch
    pseudo_strength: float = 3.0  # shift of a pseudo-image towards its class, in standard deviations of the logit
    pseudo_noise: float = 0.5  # this share of a real image's deviation from the mean is added to a pseudo-image


def start(material: Material, rows: Sequence[int], dropout: float = 0.0) -> Head:
    """Returns an untrained head with a complete prior, which is the part that needs no training. The statistics of the
    prior come from the original views of the pairs in ``rows``."""
    head = Head(dropout)
    pooled = torch.from_numpy(material.features.pooled[rows, 0]).float()
    with torch.no_grad():
        logits = material.classifier(pooled)
        head.logit_mean.copy_(logits.mean(0))
        head.logit_sd.copy_(logits.std(0))
        head.shared.copy_(_shared(head.standardised(logits)))
        head.surprise_sd.copy_(head.standardised(logits).std(0))
        classes = torch.from_numpy(material.classes)
        head.classes.copy_(classes - classes.mean(0))
        head.common.copy_(normalize(classes.mean(0), dim=0))
    return head


def _shared(scores: Tensor) -> Tensor:
    """Returns the SHARED directions with the largest variance, as ``d`` (1000, SHARED). The directions are scaled for
    the expression ``scores - (scores @ d) @ d.T``, which shrinks the scores along each direction, and more so along a
    direction with a larger variance."""
    variances, directions = torch.linalg.eigh(scores.T @ scores / len(scores))
    largest = variances[-SHARED:]
    damped = 1 - (variances[-SHARED - 1] / largest).clamp(0, 1) ** DAMPING
    scaled: Tensor = directions[:, -SHARED:] * damped.sqrt()
    return scaled


def fit(
    material: Material,
    rows: Sequence[int],
    recipe: Recipe | None = None,
    progress: Callable[[int], None] = lambda epoch: None,
) -> Head:
    """Returns a head that is trained only on the pairs in ``rows``. On one machine, the same seed gives the same
    head."""
    recipe = recipe or Recipe()
    torch.manual_seed(recipe.seed)
    rng = np.random.default_rng(recipe.seed)
    head = start(material, rows, recipe.dropout).train()
    log_scale = nn.Parameter(torch.tensor(recipe.scale).log())
    pseudo = _PseudoPairs(material, rows, recipe)
    batches = max(1, len(rows) // recipe.batch)
    optimizer = torch.optim.AdamW(
        [*head.parameters(), log_scale], lr=recipe.learning_rate, weight_decay=recipe.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=recipe.learning_rate, total_steps=recipe.epochs * batches
    )
    for epoch in range(recipe.epochs):
        for chosen in np.array_split(rng.permutation(rows), batches):
            real = _batch(material, chosen, rng)
            made = pseudo.draw(rng)
            pooled, mid, texts, labels = (torch.cat(parts) for parts in zip(real, made, strict=True))
            with torch.no_grad():
                prior = head.prior(material.classifier(pooled))
            loss = contrast(
                head.learned(pooled, mid, prior), texts, labels, log_scale.exp(), recipe.false_negative_cosine
            )
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # untyped in torch
            optimizer.step()
            schedule.step()
        progress(epoch + 1)
    return head.eval().requires_grad_(False)


def contrast(images: Tensor, texts: Tensor, labels: Tensor, scale: Tensor, false_negative_cosine: float) -> Tensor:
    """Returns the symmetric InfoNCE loss over unit vectors (n, d). An image and a text with equal labels are positives.
    An image and a text with different labels are negatives, but such a pair is ignored if the cosine of the text and
    the image's own text is above ``false_negative_cosine``."""
    same = labels[:, None] == labels[None, :]
    neither = (texts @ texts.T > false_negative_cosine) & ~same
    scores = (scale * images @ texts.T).masked_fill(neither, float("-inf"))
    share = same / same.sum(1, keepdim=True)

    def one_way(log_odds: Tensor) -> Tensor:
        return -(log_odds.masked_fill(~same, 0.0) * share).sum(1).mean()

    # `same` and `neither` are symmetric, so both are also right for the transposed scores.
    return (one_way(log_softmax(scores, 1)) + one_way(log_softmax(scores.T, 1))) / 2


def _batch(material: Material, rows: np.ndarray, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Draws one view and one caption of each pair. Returns the pooled and mid features of the views, the text vectors
    of the captions, and the labels."""
    drawn = [int(rng.choice(usable_views(material.pairs[row]))) for row in rows]
    captions = [material.captions.draw(int(row), view, rng) for row, view in zip(rows, drawn, strict=True)]
    return (
        torch.from_numpy(material.features.pooled[rows, drawn]).float(),
        torch.from_numpy(material.features.mid[rows, drawn]).float(),
        torch.from_numpy(material.captions.vectors[captions]),
        torch.from_numpy(material.captions.titles[rows]),
    )


class _PseudoPairs:
    """Generates features of images that do not exist. Each pseudo-image activates one class and is paired with the text
    vector of that class.

    The features of a pseudo-image are the mean of the training images, moved along the covariance of the features with
    the class's logit. A part of a real image's deviation from the mean is added as noise. Pseudo-pairs teach the head
    1,000 classes, most of which no real pair shows.
    """

    def __init__(self, material: Material, rows: Sequence[int], recipe: Recipe) -> None:
        self._count, self._strength, self._noise = recipe.pseudo_pairs, recipe.pseudo_strength, recipe.pseudo_noise
        pooled = torch.from_numpy(material.features.pooled[rows, 0]).float()
        mid = torch.from_numpy(material.features.mid[rows, 0]).float()
        both = torch.cat((pooled, mid), 1)
        self._mean = both.mean(0)
        self._deviations = both - self._mean
        weight = material.classifier.weight.detach()
        score = self._deviations[:, : weight.shape[1]] @ (weight - weight.mean(0)).T
        # (1000, 2304): the mean change of the features when the class's centred logit grows by one standard deviation.
        self._moves = (score.T @ self._deviations) / len(both) / score.std(0)[:, None]
        self._split = weight.shape[1]
        self._texts = torch.from_numpy(material.classes)

    def draw(self, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        chosen = torch.from_numpy(rng.choice(len(self._texts), self._count, replace=False))
        others = torch.from_numpy(rng.integers(len(self._deviations), size=self._count))
        both = self._mean + self._strength * self._moves[chosen] + self._noise * self._deviations[others]
        pooled, mid = both[:, : self._split].clamp(min=0), both[:, self._split :]
        return pooled, mid, self._texts[chosen], -1 - chosen  # negative labels never equal a title's label
