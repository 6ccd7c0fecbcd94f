"""Reads the product exports of shop platforms. Each reader follows the platform's public list of columns."""
