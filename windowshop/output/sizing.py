"""Describes which index parameters and server settings suit a catalog."""

from db.lifecycle.sizing import HUGE_PAGE, MB, Present, Suitable


def describe(images: int, titles: int, suits: Suitable, server: Present) -> list[str]:
    """Return lines with the values that suit the catalog. Settings of the server are shown with their present value."""
    lines = [
        f"For about {images:,} images and {titles:,} titles, these values suit:",
        f"  m {suits.m} and ef_construction {suits.ef_construction}; the HNSW indexes then take "
        f"{_size(suits.index_bytes)}, or over bits {_size(suits.bit_index_bytes)}",
        f"  maintenance_work_mem {_size(suits.maintenance_work_mem)} while an index is built "
        f"(now {_size(server.maintenance_work_mem)})",
        f"  shared_buffers {_size(suits.shared_buffers)} (now {_size(server.shared_buffers)})",
    ]
    if suits.huge_pages is None:
        lines.append("  no huge pages, because shared_buffers is small")
    else:
        lines.append(
            f"  huge_pages with vm.nr_hugepages {suits.huge_pages:,} of {HUGE_PAGE // MB} MB (now {server.huge_pages})"
        )
    return lines


def _size(size: int) -> str:
    return f"{max(1, round(size / MB)):,} MB"
