"""Response bodies by content hash, and one receipt per attempt. Bytes in, bytes out: nothing is parsed here."""
