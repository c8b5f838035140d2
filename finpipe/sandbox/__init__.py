"""The local upstream: an HTTP server that behaves like the real providers, for demo, tests and experiments.

Here belong the world behind it (real, synthetic or the user's bars), the providers' formats, limits and error
bodies, and the log of arrivals that judges a client. Nothing here knows the client: no import of `fetch`,
`sources` or `settings`, so that a test against the sandbox compares two independent readings of a provider.

Two doors: `finpipe.sandbox.options` (light: what can be asked for) and `finpipe.sandbox.server` (serves it).
"""
