"""Errors of a whole catalog file. A faulty row is no error but a `Reject` (see loader/rejects.py).

LoaderError                  (db/errors.py: exit code 6)
├── SourceUnreadable         the path is missing, no file or folder, or may not be read, or the disk fails
├── NotACatalog              a file, but not one of the formats, or its header cannot be understood
│   └── MissingColumns       no column holds the SKU, or the title
├── SourceDamaged            the file cannot be read past some place; the rows before it are good
├── NothingToLoad            no row, no image
├── RejectsUnwritable        the list of rejected rows cannot be written
├── SyncRefused              the rows are loaded, but products that the file does not name were left unchanged
└── RowsRejected             the good rows are loaded, the others are listed
"""

from db.errors import LoaderError


class SourceUnreadable(LoaderError):
    pass


class NotACatalog(LoaderError):
    pass


class MissingColumns(NotACatalog):
    pass


class SourceDamaged(LoaderError):
    pass


class NothingToLoad(LoaderError):
    pass


class RejectsUnwritable(LoaderError):
    pass


class SyncRefused(LoaderError):
    pass


class RowsRejected(LoaderError):
    pass
