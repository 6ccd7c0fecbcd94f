"""Adds products with chosen image and title vectors, and calls the match functions."""

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import text

from db.catalog.product import Image, Product
from db.roles import Role

if TYPE_CHECKING:
    from tests.support.shop import Shop

# Two products match up to these bounds: `phash` is the highest number of different bits, `image` and `title` are the
# highest cosine distances, and `trigram` is the lowest similarity, from 0 to 1.
THRESHOLDS = {"phash": 6, "image": 0.2, "title": 0.3, "trigram": 0.5}
BACKPACK = "waterproof hiking backpack with rain cover"
SAUCEPAN = "enamelled saucepan for induction hobs"
DETAILED = "01" * 32  # a typical perceptual hash: half of its bits are set
FLAT = "1" + "0" * 63  # the perceptual hash of an image of one colour: one bit is set


@dataclass(frozen=True)
class Posting:
    """A product whose image vector and title vector are given by the numbers `image` and `words`. The vectors of 5 and
    5.1 have cosine distance 0.1. The vectors of 5 and 6 are unrelated."""

    sku: str
    image: float
    words: float
    title: str = BACKPACK
    phash: str | None = None
    fields: dict[str, Any] = field(default_factory=dict)


@cache
def point(number: float) -> NDArray[np.float32]:
    whole, rest = divmod(round(number * 1000), 1000)
    axes, _ = np.linalg.qr(np.random.default_rng(whole).standard_normal((24, 2)))
    cosine = 1 - rest / 1000
    return (axes @ [cosine, np.sqrt(1 - cosine**2)]).astype(np.float32)


def flipped(phash: str, bits: int) -> str:
    return "".join("10"[int(bit)] if n < bits else bit for n, bit in enumerate(phash))


def add(shop: "Shop", *postings: Posting, into: str = "main", encode: bool = True) -> None:
    shop.load(*(Product(p.sku, p.title, images=(Image(p.sku, p.phash),), **p.fields) for p in postings), into=into)
    if not encode:
        return
    by_sku = {p.sku: p for p in postings}
    skus = dict(shop.run("select product_id, sku from shop.product"))
    worker = shop.worker()
    while items := worker.claim("title", 1000):
        worker.complete(items, "title", np.stack([point(by_sku[skus[i.product_id]].words) for i in items]))
    while items := worker.claim("image", 1000):
        worker.complete(items, "image", np.stack([point(by_sku[skus[i.product_id]].image) for i in items]))
    worker.release()


def call(shop: "Shop", function: str, *, role: Role = Role.ANALYST, **arguments: Any) -> list[Any]:
    """Call a function with named arguments. The default role is the analyst, whose transactions are read-only."""
    named = ", ".join(
        f"{name} => " + ("cast(:filter as jsonb)" if name == "filter" else f":{name}") for name in arguments
    )
    return list(shop.connect(role).execute(text(f"select * from shop.{function}({named})"), arguments).all())


def groups(shop: "Shop", **arguments: Any) -> set[frozenset[str]]:
    found: dict[Any, set[str]] = {}
    for row in call(shop, "match_products", **arguments):
        found.setdefault(row.group_id, set()).add(row.sku)
    return {frozenset(skus) for skus in found.values()}
