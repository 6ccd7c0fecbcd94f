"""Combines the lines of Shopify's bulk operations. Each object is on a line of its own. If an object belongs to another
object, its member `__parentId` names that other object."""

from collections.abc import Mapping
from typing import Any

from db.catalog.names import normalised
from loader.sources.api.platform import ApiPlatform, Record, text

PARENT = "__parentId"
GID = "gid://shopify/"
LISTS = {
    "ProductVariant": "variants",
    **dict.fromkeys(("Image", "ProductImage", "MediaImage"), "images"),
    "Collection": "collections",
    "Metafield": "metafields",
}


class ShopifyBulk(ApiPlatform):
    is_linked = True

    def recognises(self, record: Mapping[str, Any]) -> bool:
        return PARENT in record or text(record.get("id")).startswith(f"{GID}Product/")

    def parent(self, record: Record) -> str:
        return text(record.get(PARENT))

    def nested(self, parent: Record, children: list[Record]) -> Record:
        found = dict(parent)
        for child in children:
            member = {name: value for name, value in child.items() if name != PARENT}
            name = _list_of(member)
            # The image of a media object is in the member `image`, or in the member `image` of its `preview`.
            preview = member.get("preview")
            image = member.get("image") or (preview.get("image") if isinstance(preview, Mapping) else None)
            if name == "images" and isinstance(image, Mapping):
                member = {**image, "id": member.get("id")}
            listed = found.get(name)
            found[name] = [*listed, member] if isinstance(listed, list) else [member]
        return found


def _list_of(member: Record) -> str:
    """Returns the name of the list to which an object belongs."""
    identifier = text(member.get("id"))
    kind = identifier.removeprefix(GID).partition("/")[0] if identifier.startswith(GID) else ""
    kind = kind or text(member.get("__typename"))
    if kind:
        return LISTS.get(kind, f"{normalised(kind)}s")
    if any(name in member for name in ("sku", "price", "selectedOptions")):
        return "variants"
    if any(name in member for name in ("url", "src", "originalSrc", "transformedSrc", "image")):
        return "images"
    return "metafields" if "namespace" in member else "nodes"
