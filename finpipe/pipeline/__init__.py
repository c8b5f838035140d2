"""One step per kind of asset: read through stores, call pure functions, write through stores.

Used alike by Dagster's assets, the command line and tests. No formula lives here, and no Dagster.
"""
