"""Signs in to the page for staff. Defines the header of requests from this page, and the form of a rule."""

import httpx

OWN = {"Sec-Fetch-Site": "same-origin"}
RULE = {"name": "first", "when": "query", "when_value": "bag", "then": "pin", "then_value": "sku 3", "number": "1"}
Keys = dict[str, str]


def sign_in(client: httpx.Client, key: str) -> httpx.Response:
    client.cookies.clear()
    return client.post("/staff/sign-in", data={"key": key})
