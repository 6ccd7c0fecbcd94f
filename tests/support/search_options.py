"""Lists the options of shop.search that REST does not offer, each with the reason."""

NOT_IN_REST = {
    "rrf_k": "fitted together with the weights, one value for each model",
    "degrade": "always on for a query of text alone",
    "route": "for measurements only",
    "image_box": "the field box of POST /v1/search; the service cuts the region before the search",
}
