"""From the bytes of raw objects to checked, deduplicated, versioned rows; what cannot be used is quarantined.

Bytes and frames in, frames out: no store, no file, no network, and nothing here knows a source's name.
Which receipts are staged, and where rows are written, is the pipeline's.
"""
