"""For a query with a sign, such as the ++ of C++, products whose title has this sign come first. The sign " means inch:
for a query such as 24" (24 inches), products whose title has the word inch come first too."""

from typing import TYPE_CHECKING

import pytest

from tests.support.shop import product

if TYPE_CHECKING:
    from tests.support.shop import Shop

SIGNS = [
    "C# in depth, the C# book", "The C++ primer", "C for beginners and more C", "Learn F# today", "F keys for F pedals",
    "ASP.NET core", "Net for fishing: a net", '24" monitor', "24 inch stand", "24 cm frame 24", '1/2" socket',
    "12 sockets 12", "1 2 game 1 2",
]  # fmt: skip


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("c++", {"The C++ primer"}),
        ("C#", {"C# in depth, the C# book"}),
        ("f#", {"Learn F# today"}),
        (".net", {"ASP.NET core"}),
        ('24"', {'24" monitor', "24 inch stand"}),
        ("(24”),", {'24" monitor', "24 inch stand"}),
        ('1/2"', {'1/2" socket'}),
        ("1/2", {'1/2" socket'}),
        ("net", {"Net for fishing: a net"}),
    ],
)
def test_signs_distinguish_words(shop: "Shop", query: str, first: set[str]) -> None:
    shop.load(*(product(f"p{n}", title, image_count=0) for n, title in enumerate(SIGNS)))
    leg = "(shop_private.keyword_leg(:query, 'main', 'true', null, null, 50, 1000)).product_ids"
    titles = [
        row[0]
        for row in shop.run(
            f"select p.title from unnest({leg}) with ordinality i(id, n) "
            "join shop.product p on p.product_id = i.id order by n",
            query=query,
        )
    ]
    assert set(titles[: len(first)]) == first
    assert len(titles) > len(first)


def test_a_text_without_a_distinguishing_sign_has_no_condition(shop: "Shop") -> None:
    for text in ("red shoes", "t-shirt", "AT&T", "a + b", "+", "...", "#1", "50%", "100,000/x", "\\'\\'", ""):
        assert shop.value("select shop_private.symbol_condition(:text)", text=text) is None, text
