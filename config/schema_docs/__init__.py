"""docs/schema.md and its picture, made from the models by `manage.py schema_docs`."""
