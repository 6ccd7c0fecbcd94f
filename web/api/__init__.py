"""The REST API: one file a resource, its schemas and its OpenAPI document."""
