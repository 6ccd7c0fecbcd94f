"""Prints messages for people on stderr. The results of a command go to stdout, where programs can read them."""

import sys


def say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)
