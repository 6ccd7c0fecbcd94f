"""Lists the options of shop.search that REST does not offer, each with the reason."""

NOT_IN_REST = {
    "rrf_k": "fitted together with the weights, for a whole site",
    "degrade": "always on for texts",
    "route": "for measurements only",
}
