"""Dagster at the edge: thin assets, checks, partitions, schedules, a sensor, and how runs are executed.

Here belongs what only Dagster needs. An asset body calls one step of `pipeline/` and returns metadata; anything
worth a unit test without Dagster stands below. `finpipe.definitions` puts the parts together.
"""
