"""The pipeline document: read, checked whole, and turned into a Pipeline."""

from rapidbyte.config.load import load, load_text
from rapidbyte.config.locate import locate
from rapidbyte.config.schema import document_schema
from rapidbyte.config.sizes import parse_size

__all__ = ["document_schema", "load", "load_text", "locate", "parse_size"]
