"""Trading calendars: which dates are sessions of a venue, and when they open and close.

Here belong the versioned data files (`data/*.toml`), reading them, and the user's overrides.
Prices and what is done with them are elsewhere; so are cadences, which only ask for instants here.
"""

from finpipe.calendars.calendar import Calendar
from finpipe.calendars.loading import known, load

__all__ = ["Calendar", "known", "load"]
