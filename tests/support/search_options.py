"""How the options of shop.search are offered elsewhere."""

NOT_IN_REST = {
    "rrf_k": "fitted together with the weights, for a whole site",
    "degrade": "always on for texts",
    "route": "for measurements only",
}
