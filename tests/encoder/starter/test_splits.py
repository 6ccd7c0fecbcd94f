"""Each split holds out nouns, so that no training text names a noun of the test images."""

import pytest

from encoder.starter.training import splits
from encoder.starter.training.pairs import Pair, words

NUMBERS = range(splits.COUNT)


@pytest.mark.parametrize("number", NUMBERS)
def test_no_held_out_noun_is_in_a_training_title_or_keyword(number: int, every_pair: list[Pair]) -> None:
    held_out = splits.read()[number]
    train, _ = splits.sides(every_pair, held_out)
    taught = {word for row in train for word in words(" ".join((every_pair[row].title, *every_pair[row].keywords)))}
    assert not taught & held_out


@pytest.mark.parametrize("number", NUMBERS)
def test_every_test_image_shows_a_held_out_noun(number: int, every_pair: list[Pair]) -> None:
    held_out = splits.read()[number]
    _, test = splits.sides(every_pair, held_out)
    assert len(test) > 500
    assert {every_pair[row].noun for row in test} == held_out


def test_the_committed_splits_equal_the_splits_that_the_code_draws(every_pair: list[Pair]) -> None:
    assert splits.read() == splits.draw(every_pair)


def test_no_noun_is_held_out_in_two_splits() -> None:
    held_out = splits.read()
    assert len(frozenset().union(*held_out)) == sum(len(nouns) for nouns in held_out)


def test_plurals_and_compounds_count_as_mentions_of_a_noun() -> None:
    assert {"frog", "box", "cherry", "shirt", "t-shirt"} <= words("Frogs, boxes and cherries on a T-shirt")
