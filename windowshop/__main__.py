"""Runs the command line as `python -m windowshop`."""

from windowshop.main import main

main()
