"""Bytes to events: containers, shapes, records, rows."""

from analyzer.decoding.documents import Decoded, Document, decode_documents
from analyzer.decoding.outcome import Finding, Outcome, Reading, rejected, skipped
from analyzer.decoding.statements import SIGNATURE_SUFFIX, DigestSignature, Statement, TrailDescription

__all__ = [
    "SIGNATURE_SUFFIX",
    "Decoded",
    "DigestSignature",
    "Document",
    "Finding",
    "Outcome",
    "Reading",
    "Statement",
    "TrailDescription",
    "decode_documents",
    "rejected",
    "skipped",
]
