"""marshmallow's schemas as JSON Schema, in the forms that generators of clients read correctly.

Import it only to build the OpenAPI document: apispec delays the start of the service.
"""

from __future__ import annotations

from typing import Any, cast

from apispec.ext.marshmallow import MarshmallowPlugin
from apispec.ext.marshmallow.openapi import OpenAPIConverter

from service.web.bodies import UnionSchema


class _Converter(OpenAPIConverter):
    def field2default(self, field: Any, **_: Any) -> dict[str, Any]:
        """Return nothing: generators make a field with a default required, or always send it.

        A change would then reset each field that its caller did not name.
        """
        return {}

    def schema2jsonschema(self, schema: Any) -> dict[str, Any]:
        """Return a schema; for a UnionSchema its variants and their discriminator."""
        cls = schema if isinstance(schema, type) else type(schema)
        if not issubclass(cls, UnionSchema):
            return cast("dict[str, Any]", super().schema2jsonschema(schema))
        mapping = {
            value: cast("dict[str, str]", self.resolve_nested_schema(variant))["$ref"]
            for value, variant in cls.variants.items()
        }
        return {
            "oneOf": [{"$ref": reference} for reference in mapping.values()],
            "discriminator": {"propertyName": cls.discriminator, "mapping": mapping},
        }


class SchemaPlugin(MarshmallowPlugin):
    """apispec's plugin, with _Converter."""

    Converter = _Converter
