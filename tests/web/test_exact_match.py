"""The answer and the page show which field of a product the text matches exactly. An exact match needs no encoder, so
no encoder runs."""

import httpx
import pytest


@pytest.mark.parametrize(
    ("query", "field", "words"),
    [
        ("sku 17", "sku", "Its number is what you typed"),
        ("SKU-17", "sku", "Its number is what you typed"),
        ("number17", "text", "The code that you typed is in its text"),
    ],
)
def test_an_exact_match_shows_the_field_that_the_text_matches(
    client: httpx.Client, query: str, field: str, words: str
) -> None:
    body = client.post("/search/text", json={"query": query}).json()
    first = body["results"][0]
    assert (first["sku"], first["why"]["exact_match"]) == ("sku 17", field)
    page = client.get("/", params={"q": query}).text
    assert page.count(words) == 1


def test_a_search_for_a_brand_finds_exactly_the_products_of_the_brand(client: httpx.Client) -> None:
    results = client.post("/search/text", json={"query": "nord", "top_k": 60}).json()["results"]
    assert [(result["brand"], result["why"]["exact_match"]) for result in results] == [("Nord", "brand")] * 45
