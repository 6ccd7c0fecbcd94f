"""Registers the metrics that encoders, the web service and jobs have in common: version, memory, processor time and
open files."""

from importlib.metadata import PackageNotFoundError, version

from prometheus_client import CollectorRegistry, Info, ProcessCollector

from db.schema import HEAD


def register(registry: CollectorRegistry) -> None:
    try:
        installed = version("windowshop")
    except PackageNotFoundError:  # the code runs from a clone that is not installed
        installed = "unknown"
    build = Info(
        "windowshop_build", "Version of Windowshop and revision of the schema that it needs.", registry=registry
    )
    build.info({"version": installed, "schema_revision": HEAD})
    ProcessCollector(registry=registry)
