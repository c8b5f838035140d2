"""A self-hosted, point-in-time market-data platform. Only the version lives here."""

__version__ = "0.1.0"
