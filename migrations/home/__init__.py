"""Lets Alembic find the revisions of the site, which are in `<WINDOWSHOP_HOME>/revisions`.

The folder of a site is not known when `alembic.ini` is written. So `version_locations` there names the resource
`migrations.home:revisions`. Alembic asks importlib for this resource, and importlib asks the reader below.
"""

from importlib.abc import Loader
from importlib.resources.abc import TraversableResources
from pathlib import Path

from db.settings import Settings


class _Home(TraversableResources):
    def files(self) -> Path:
        return Settings.read().home.absolute()


class _HomeLoader(Loader):
    def get_resource_reader(self, _name: str) -> TraversableResources:
        return _Home()


assert __spec__ is not None
__spec__.loader = _HomeLoader()
