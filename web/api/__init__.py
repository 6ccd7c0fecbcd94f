"""Contains the REST API: a file for each resource, the schemas, and the OpenAPI document."""
