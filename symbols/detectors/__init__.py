"""A backbone, a neck and heads put together; `symbols.registry` lists them by name."""
