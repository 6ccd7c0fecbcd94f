"""Says in a shopper's words why a product was found, and why no product was found."""

from collections.abc import Callable, Mapping, Sequence
from uuid import UUID

from babel.lists import format_list

from db.search.highlights import WordPositions
from db.search.ranking import SearchHit
from web.page.brand import visit
from web.page.brand.languages import gettext, marked, quoted
from web.page.state import PageState

CLOSE = 3  # up to this rank of the image leg, a product looks "very much like" the query
_WORDS = 3  # a reason names at most this many words

# For each field that can name a product, why the product comes first.
_EXACT = {
    "sku": marked("Its number is what you typed."),
    "gtin": marked("Its GTIN is what you typed."),
    "mpn": marked("Its part number is what you typed."),
    "attribute": marked("One of its codes is what you typed."),
    "brand": marked("Its brand is what you typed."),
    "text": marked("The code that you typed is in its text."),
}
# Parts of the reasons that shop.search gives for an empty result, each with the text that a visitor reads instead.
_NOTHING = {
    "the query only excludes": marked("Your search only says what to leave out. Add what you are looking for."),
    "phrases, exclusions and fields": marked("No product has everything that your search asks for."),
    "none matches the filter": marked("No product passes all these filters."),
    "these words and matches the filter": marked("No product with these words passes all these filters."),
    "has no products": marked("There are no products here yet."),
}


def why(state: PageState, words: Mapping[UUID, WordPositions]) -> Callable[[SearchHit], list[str]]:
    """Returns a function that returns the reasons why a row was found: an exact match, the legs by their contributions,
    and the shop's recommendation. `words` has the positions of the query's words in the titles."""
    looks = gettext("what you chose") if state.like and not state.q else quoted(state.q)
    if state.image:
        looks = gettext("your image and your words") if state.q else gettext("your image")

    def reasons(row: SearchHit) -> list[str]:
        said = words.get(row.product_id, {})
        by_name = row.title_rank and not said.get("title")
        parts = [
            (row.image_contribution, _looks(row.image_rank, looks)),
            (row.keyword_contribution, _words_found(row, said)),
            (row.title_contribution, gettext("Its name fits %(what)s.") % {"what": looks} if by_name else None),
        ]
        ranked = sorted((part for part in parts if part[0] and part[1]), key=lambda part: -(part[0] or 0))
        exact = [gettext(_EXACT[row.exact_match])] if row.exact_match else []
        shop = [gettext("The shop recommends it.")] if (row.shop_ranking or 0) > 0 else []
        return [*exact, *(str(text) for _, text in ranked), *shop] or [gettext("Similar to what you are looking for.")]

    return reasons


def _looks(rank: int | None, what: str) -> str | None:
    if rank is None:
        return None
    text = gettext("Looks very much like %(what)s.") if rank <= CLOSE else gettext("Looks like %(what)s.")
    return text % {"what": what}


def _words_found(row: SearchHit, positions: WordPositions) -> str | None:
    """Returns which words of the query the title has. If it has none, returns that the product's details have them.
    Returns None if the words did not find the product."""
    if row.keyword_rank is None:
        return None
    if title := positions.get("title"):
        found = dict.fromkeys(row.title[first : first + length].lower() for first, length in title)
        return gettext("The title says %(words)s.") % {"words": _listed(list(found)[:_WORDS])}
    return gettext("Its details have your words.")


def _listed(words: Sequence[str]) -> str:
    return format_list([quoted(word) for word in words], locale=visit.language())


def nothing(reason: str | None) -> str | None:
    """Returns what a visitor reads about the reason why a search found nothing. Returns None if the reason is of no use
    to a visitor."""
    return next((gettext(words) for part, words in _NOTHING.items() if part in (reason or "")), None)
