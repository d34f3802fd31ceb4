"""Bytes to events: containers, shapes, records, rows."""

from analyzer.decoding.documents import Decoded, Document, decode_documents
from analyzer.decoding.outcome import Finding, Outcome, Reading, rejected, skipped

__all__ = ["Decoded", "Document", "Finding", "Outcome", "Reading", "decode_documents", "rejected", "skipped"]
