"""Defines the constants of the SQL functions that suggest texts for a search box (see constants.py)."""

from db.functions.constant import Constant

MAX_SUGGESTIONS = 50
SUGGESTION_VISITORS = 5

SUGGESTIONS = (
    Constant("max_suggestions", MAX_SUGGESTIONS, "suggestions", "largest k; a list under a search box shows fewer"),
    Constant(
        "max_suggestion",
        200,
        "characters",
        "length of the longest prefix, and of the longest suggested text other than a title",
    ),
    Constant(
        "suggestion_visitors",
        SUGGESTION_VISITORS,
        "visitors",
        "a query that fewer visitors searched for could identify them",
    ),
    Constant("suggestion_days", 90, "days", "age of the oldest searches that count for a suggested query"),
    Constant("suggestions_kept", 20_000, "texts", "largest number of texts of a kind that are kept for a catalog"),
    Constant("suggestion_starts", 6, "words", "a suggestion is found by its first words only"),
    Constant("suggestion_similarity", 0.4, "word similarity", "least similarity of a text to a misspelt prefix"),
    Constant(
        "suggestion_swaps", 40, "letters", "two exchanged letters are corrected only in a prefix of at most this length"
    ),
    Constant(
        "suggestion_scan_products",
        10_000,
        "products",
        "in a larger site, a call with a filter reads the texts of the last refresh, except under a row policy",
    ),
    Constant("suggestion_titles", 200, "titles", "largest number of different titles that are read for a prefix"),
    Constant("suggestion_copies", 20, "products", "largest number of products of a title that are read for a prefix"),
    Constant("title_start", 60, "characters", "length of the title's beginning in the index product_title_start_idx"),
)
