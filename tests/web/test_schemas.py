"""Each option of a REST search becomes an argument of shop.search, except `explain` and `language`."""

from dataclasses import fields

import pytest

from db.search.ranking import SearchParams
from tests.support.search_options import NOT_IN_REST
from web.api.schemas import GeneralSearch, ImageSearch, Input, Options, TextSearch, Weights

# `explain` only adds the steps of the search to the answer, and `language` is a setting of the session.
NOT_ARGUMENTS = {"explain", "language"}
ALL = GeneralSearch(
    query="bag",
    image=b"image",
    inputs=[Input(sku="A-17")],
    top_k=3,
    filter={"color": "red"},
    catalog="other",
    weights=Weights(image=1, title=2, keyword=3),
    min_similarity=0.1,
    max_gap=0.2,
    cut="relevant",
    change="but red",
    sort="price",
    group_by="brand",
    diversity=0.3,
    correct=False,
    signals={"stock": 0.3},
    rules="off",
    page="next",
    explain=True,
)
DEFAULTS = {"query": None, "image": None, "inputs": None, "weights": None}


def test_every_argument_of_search_can_be_set_by_rest_or_is_listed_with_a_reason() -> None:
    given = ALL.arguments()
    assert set(given) - {"degrade"} == {field.name for field in fields(SearchParams)} - set(NOT_IN_REST)
    defaults = SearchParams()
    assert {name for name, value in given.items() if value == getattr(defaults, name)} == {"degrade"}


@pytest.mark.parametrize("option", sorted(set(GeneralSearch.__struct_fields__) - NOT_ARGUMENTS))
def test_every_option_reaches_an_argument(option: str) -> None:
    """REST must not accept an option and then ignore it."""
    default = DEFAULTS.get(option, getattr(Options(), option, None))
    without = GeneralSearch(**{name: getattr(ALL, name) for name in ALL.__struct_fields__} | {option: default})
    assert without.arguments() != ALL.arguments()


def test_only_a_query_of_text_alone_may_degrade_to_a_keyword_search() -> None:
    assert TextSearch(query="bag").arguments()["degrade"]
    assert GeneralSearch(query="bag").arguments()["degrade"]
    assert not ALL.arguments()["degrade"]
    assert "degrade" not in ImageSearch(image=b"image").arguments()
