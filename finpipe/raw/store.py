"""The raw object store: `objects/<sha256>.zst` and `receipts/<source>/<dataset>/<date>/<id>.json`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import zstandard

from finpipe.errors import CorruptObject
from finpipe.files import write_atomic
from finpipe.raw.receipt import Receipt

_LEVEL = 1  # as small as gzip 6 on such bodies, and 11 times as fast


class RawStore:
    """Immutable bodies by content, and the receipts that point to them."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, body: bytes) -> str:
        """Keep a body durably; the same bytes are kept once.

        Returns:
            Its sha256, in hex.
        """
        sha256 = hashlib.sha256(body).hexdigest()
        path = self._object(sha256)
        if not path.exists():
            write_atomic(path, zstandard.compress(body, _LEVEL), keep_existing=True)
        return sha256

    def get(self, sha256: str) -> bytes:
        """The body of that hash.

        Raises:
            CorruptObject: It is not there, or its bytes are not what its name says.
        """
        try:
            body = zstandard.decompress(self._object(sha256).read_bytes())
        except (OSError, zstandard.ZstdError) as error:
            raise CorruptObject(f"raw object {sha256} cannot be read: {error}") from error
        if hashlib.sha256(body).hexdigest() != sha256:
            raise CorruptObject(f"raw object {sha256} holds other bytes than its name says")
        return body

    def record(self, receipt: Receipt) -> None:
        """Keep a receipt durably."""
        write_atomic(self._receipt(receipt.source, receipt.dataset, receipt.id), receipt.to_json())

    def receipt_ids(self, source: str, dataset: str) -> list[str]:
        """Ids of a dataset's receipts, by time received."""
        folder = self.root / "receipts" / source / dataset
        return sorted(path.stem for path in folder.glob("*/*.json"))

    def receipt(self, source: str, dataset: str, receipt_id: str) -> Receipt:
        """One receipt.

        Raises:
            CorruptObject: It is not there or cannot be read.
        """
        path = self._receipt(source, dataset, receipt_id)
        try:
            return Receipt.from_json(path.read_bytes())
        except OSError as error:
            raise CorruptObject(f"receipt {path} cannot be read: {error.strerror}") from error

    def receipts(self, source: str, dataset: str) -> Iterator[Receipt]:
        """A dataset's receipts, by time received."""
        return (self.receipt(source, dataset, receipt_id) for receipt_id in self.receipt_ids(source, dataset))

    def _object(self, sha256: str) -> Path:
        return self.root / "objects" / f"{sha256}.zst"

    def _receipt(self, source: str, dataset: str, receipt_id: str) -> Path:
        day = f"{receipt_id[:4]}-{receipt_id[4:6]}-{receipt_id[6:8]}"
        return self.root / "receipts" / source / dataset / day / f"{receipt_id}.json"
