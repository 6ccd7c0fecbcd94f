"""`python -m windowshop`."""

from windowshop.main import main

main()
