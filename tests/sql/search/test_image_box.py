"""With image_box, a search uses only a region of its image. A wrong region is refused before anything is encoded."""

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Connection, text

from db.errors import StatementRefused
from db.roles import Role
from db.search import ranking
from db.search.ranking import SearchParams
from tests.support.shop import unit_vectors

if TYPE_CHECKING:
    from tests.support.shop import Shop

WRONG = {
    "{0,0,0,1}": "image_box has no area",
    "{0,0,1,0}": "image_box has no area",
    "{0,0,-0.5,1}": "image_box has no area",
    "{0.5,0,0.6,1}": "image_box reaches outside the image: {0.5,0,0.6,1}",
    "{0,0.5,1,0.6}": "image_box reaches outside the image",
    "{-0.1,0,1,1}": "image_box reaches outside the image",
    "{0,0,NaN,1}": "image_box is not a list of 4 numbers: {0,0,NaN,1}",
    "{0,0,Infinity,1}": "image_box is not a list of 4 numbers",
    "{-Infinity,0,1,1}": "image_box is not a list of 4 numbers",
    "{0,0,1}": "image_box is not a list of 4 numbers",
    "{0,0,1,1,1}": "image_box is not a list of 4 numbers",
    "{0,0,1,null}": "image_box is not a list of 4 numbers",
    "{}": "image_box is not a list of 4 numbers",
    "{{0,0},{1,1}}": "image_box is not a list of 4 numbers",
}


@pytest.fixture
def analyst(shop: "Shop") -> Connection:
    shop.add("a", "b", "c", "d")
    shop.encode_all()
    for n, header in enumerate((b"", b"windowshop-region 0.25 0 0.5 1\n")):
        shop.run(
            "insert into shop_private.query_embedding (model_id, key, embedding) values "
            "(1, sha256('i'::bytea || :payload), cast(:vector as halfvec))",
            payload=header + b"picture",
            vector=str(unit_vectors(2, seed=5)[n].tolist()),
        )
    return shop.connect(Role.ANALYST)


def test_the_region_has_a_vector_of_its_own(analyst: Connection) -> None:
    whole = ranking.search(analyst, SearchParams(image=b"picture")).rows
    part = ranking.search(analyst, SearchParams(image=b"picture", image_box=[0.25, 0.0, 0.5, 1.0])).rows
    assert {hit.sku for hit in whole} == {hit.sku for hit in part} == {*"abcd"}
    assert [hit.image_distance for hit in whole] != [hit.image_distance for hit in part]
    steps = ranking.explain(analyst, SearchParams(image=b"picture", image_box=[0.25, 0.0, 0.5, 1.0]))
    assert [step.found for step in steps if step.step == "image"] == [4]
    cursor = ranking.search(analyst, SearchParams(image=b"picture", k=1)).rows[0].cursor
    with pytest.raises(StatementRefused, match="the cursor belongs to another search"):
        ranking.search(analyst, SearchParams(image=b"picture", image_box=[0.25, 0.0, 0.5, 1.0], after=cursor))


@pytest.mark.parametrize("box", WRONG)
def test_a_wrong_region_is_refused(analyst: Connection, box: str) -> None:
    message = WRONG[box].replace("{", r"\{")
    for statement in ("clip_image('picture', image_box => :box)", "search(image => 'picture', image_box => :box)"):
        with pytest.raises(StatementRefused, match=message) as error:
            analyst.execute(text(f"select * from shop.{statement}".replace(":box", f"'{box}'")))
        assert error.value.hint
        assert error.value.sqlstate == "22023"


def test_a_region_needs_an_image(analyst: Connection) -> None:
    with pytest.raises(StatementRefused, match="image_box needs an image"):
        ranking.search(analyst, SearchParams(inputs='[{"sku": "a"}]', image_box=[0.0, 0.0, 1.0, 1.0]))
