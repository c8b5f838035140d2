"""What a source is: the typed model of a source file, the files themselves (`catalogue/`), and reading them.

Here belong declarations. No HTTP, no loop over requests, no parsing of bodies; no Python file names a source.
"""
