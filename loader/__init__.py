"""Loads catalog files and judgements into the database, and lists rejected rows. Of Windowshop's packages, it imports
only `db`."""
