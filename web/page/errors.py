"""Turns problems into messages for visitors."""

from dataclasses import dataclass

from web.http.problems import Problem
from web.page.formatting import capitalized

_TITLES = {
    "malformed": "This address cannot be opened.",
    "not-found": "There is nothing here.",
    "cursor-outdated": "The results have changed since the last page.",
    "too-large": "This is too large.",
    "invalid": "This cannot be searched for.",
    "rate": "These were too many searches in a short time.",
    "overloaded": "Many people are searching at the moment.",
    "encoder-unavailable": "Images cannot be understood at the moment.",
    "database-unavailable": "The shop cannot be reached at the moment.",
    "timeout": "This took too long.",
}
# These problems have details for operators and programs, so visitors read other words.
_ADVICE = {"malformed": "Check the address, or begin again."}
_TEMPORARY = ("rate", "overloaded", "encoder-unavailable", "database-unavailable", "timeout", "internal")


@dataclass(frozen=True, slots=True)
class ErrorMessage:
    title: str
    advice: str
    button: str


def message_of(problem: Problem) -> ErrorMessage:
    kind = problem.type.rpartition(":")[2]
    if kind in _TEMPORARY:
        advice = "Wait a minute, then try again." if kind == "rate" else "Please try again in a moment."
        return ErrorMessage(_TITLES.get(kind, "Something went wrong here."), advice, "Try again")
    advice = _ADVICE.get(kind) or " ".join(
        capitalized(text).rstrip(".") + "." for text in (problem.detail, problem.hint) if text
    )
    return ErrorMessage(_TITLES.get(kind, "This did not work."), advice, "Begin again")
