"""Defines the errors of a load. A faulty row does not end a load; it becomes a `Reject` (loader/rejects.py).

LoaderError                  (db/errors.py: exit code 6)
├── SourceUnreadable         the path cannot be read, or is neither file nor folder; or the disk or a download fails
├── NotACatalog              the file has no format that a reader knows, or its header cannot be understood
│   └── MissingColumns       no column holds the SKU, or the title
├── SourceDamaged            the file can be read only up to some place; the rows before that place are loaded
├── NothingToLoad            the file has no row, or the folder has no image
├── RejectsUnwritable        the list of rejected rows cannot be written
├── SyncRefused              the rows are loaded, but products that the file does not name were left unchanged
└── RowsRejected             the good rows are loaded; the rejected rows are listed in a file
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
