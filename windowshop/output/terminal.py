"""Lines for the person at the terminal; what a command prints for programs goes to stdout instead."""

import sys


def say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)
