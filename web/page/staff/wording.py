"""Defines the texts of the page for staff that its templates do not have, and formats days, shares and scores."""

from datetime import datetime

from babel.dates import format_date
from babel.numbers import format_decimal, format_percent

from web.page.brand import visit
from web.page.brand.languages import gettext, marked

WHEN = {
    "query": marked("the search is exactly"),
    "contains": marked("the search contains the words"),
    "similar": marked("the search means about the same as"),
    "category": marked("the category is"),
    "always": marked("always"),
}
THEN = {
    "pin": marked("put the product (SKU) at the place"),
    "hide": marked("hide the product (SKU)"),
    "hide_filter": marked("hide the products with"),
    "boost": marked("raise, by the factor, the products with"),
    "bury": marked("lower, by the factor, the products with"),
    "filter": marked("show only the products with"),
    "query": marked("search for this instead"),
    "banner": marked("tell shoppers"),
    "redirect": marked("lead to the address"),
}
# What a saved rule does; `what` is the product, the text or the filter, and `number` the place or the factor.
TEXT_OF_ACTION = {
    "pin": marked("%(what)s comes at place %(number)s"),
    "hide": marked("%(what)s is hidden"),
    "hide_filter": marked("products with %(what)s are hidden"),
    "boost": marked("products with %(what)s rise by the factor %(number)s"),
    "bury": marked("products with %(what)s sink by the factor %(number)s"),
    "filter": marked("only products with %(what)s"),
    "query": marked("the search is for %(what)s"),
    "banner": marked("shoppers read: %(what)s"),
    "redirect": marked("leads to %(what)s"),
}
DONE = {
    "synonym": marked("The synonym is saved. Searches use it now."),
    "no-synonym": marked("The synonym is removed."),
    "rule": marked("The rule is saved."),
    "live": marked("The rule is live. Searches follow it now."),
    "draft": marked("The rule is a draft. Searches do not follow it."),
    "no-rule": marked("The rule is deleted."),
    "retry": marked("The encoder tries everything in quarantine again."),
    "retry-one": marked("The encoder tries the product again."),
}
# Titles of problems in web/http/problems.py that staff can meet, so that they are translated.
TITLES = (
    marked("The request cannot be read"),
    marked("A valid API key is needed"),
    marked("The API key lacks the scope of this route"),
    marked("Pages of this origin may not call the service"),
    marked("Not found"),
    marked("The resource has changed since it was read"),
    marked("The request is too large"),
    marked("The request is not valid"),
    marked("Too many requests"),
    marked("Internal error"),
    marked("The service is overloaded"),
    marked("Texts and images cannot be encoded at the moment"),
    marked("The database cannot be reached at the moment"),
    marked("The request ran out of time"),
)
_STATES = (marked("live"), marked("draft"), marked("serving"), marked("building"), marked("retired"))


def state_of(status: str) -> str:
    """Returns the status of a rule or of a model in the visitor's language."""
    return gettext(status)


def day(moment: datetime) -> str:
    return format_date(moment, "medium", locale=visit.language())


def percent(share: float) -> str:
    return format_percent(share, locale=visit.language())


def score(value: float) -> str:
    """Returns a number such as an nDCG with three decimals."""
    return format_decimal(value, "0.000", locale=visit.language())
