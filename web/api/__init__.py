"""The REST API: one file per resource, its schemas and its OpenAPI document."""
