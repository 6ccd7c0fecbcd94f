"""Turns problems into messages for visitors."""

from dataclasses import dataclass

from web.http.problems import Problem
from web.page.brand.languages import gettext, marked
from web.page.formatting import capitalized

_TITLES = {
    "malformed": marked("This address cannot be opened."),
    "not-found": marked("There is nothing here."),
    "cursor-outdated": marked("The results have changed since the last page."),
    "too-large": marked("This is too large."),
    "invalid": marked("This cannot be searched for."),
    "rate": marked("These were too many searches in a short time."),
    "overloaded": marked("Many people are searching at the moment."),
    "encoder-unavailable": marked("Images cannot be understood at the moment."),
    "database-unavailable": marked("The shop cannot be reached at the moment."),
    "timeout": marked("This took too long."),
}
# These problems have details for operators and programs, so visitors read other words.
_ADVICE = {
    "malformed": marked("Check the address, or begin again."),
    "not-found": marked("Perhaps the product is not sold any more, or the address is wrong."),
}
_BROKEN, _OTHER = marked("Something went wrong here."), marked("This did not work.")
_TEMPORARY = ("rate", "overloaded", "encoder-unavailable", "database-unavailable", "timeout", "internal")


@dataclass(frozen=True, slots=True)
class ErrorMessage:
    title: str
    advice: str
    button: str


def message_of(problem: Problem) -> ErrorMessage:
    kind = problem.type.rpartition(":")[2]
    if kind in _TEMPORARY:
        advice = gettext("Please try again in a moment.")
        if kind == "rate":
            advice = gettext("Wait a minute, then try again.")
        title = gettext(_TITLES.get(kind, _BROKEN))
        return ErrorMessage(title, advice, gettext("Try again"))
    advice = (
        gettext(_ADVICE[kind])
        if kind in _ADVICE
        else " ".join(capitalized(gettext(text)).rstrip(".") + "." for text in (problem.detail, problem.hint) if text)
    )
    return ErrorMessage(gettext(_TITLES.get(kind, _OTHER)), advice, gettext("Begin again"))
