"""The ledger of requests: what was asked, what came of it, and what is still to be done.

Here belong the state of every request and who works on it. What an answer means is `fetch.classify`, what
follows from it `fetch.followup`; bodies and receipts are the raw store's.
"""

from finpipe.fetch.ledger.entry import Claim, Conclusion, Entry, RequestState
from finpipe.fetch.ledger.sqlite import Ledger

__all__ = ["Claim", "Conclusion", "Entry", "Ledger", "RequestState"]
