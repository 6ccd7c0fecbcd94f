"""Messages of the database contain names of SQL arguments. In answers of REST and of the MCP tools, these are replaced
by the names of REST and of the tools. Names that the client chose stay."""

import pytest

from web.http.wording import TEXTS, for_assistants, for_rest


@pytest.mark.parametrize(("sql", "rest", "tool"), TEXTS)
def test_each_text_is_reworded_as_a_whole(sql: str, rest: str, tool: str) -> None:
    assert for_rest(sql) == rest
    assert for_assistants(rest) == tool


def test_a_text_is_reworded_within_a_longer_message() -> None:
    hint = "Pass the same query, filter and options as for the first page; only k may differ."
    assert for_rest(hint).endswith("page; only top_k may differ.")
    assert for_assistants(for_rest(hint)).endswith("page; only limit may differ.")
    assert for_rest("image_box reaches outside the image: {0,0,2,1}") == "box reaches outside the image: {0,0,2,1}"
    assert for_rest("Try again. In SQL, SET shop.timeout_ms allows more time.") == "Try again."


@pytest.mark.parametrize(
    "text",
    [
        "attribute image_box is not in the catalog",
        "attribute image_box_size is not a number",
        "there is no field image_box",
        "field only k may differ is unknown",
        "after is not a cursors",
    ],
)
def test_names_that_the_client_chose_are_not_reworded(text: str) -> None:
    assert for_rest(text) == text
    assert for_assistants(text) == text
