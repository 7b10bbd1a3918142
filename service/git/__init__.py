"""Git repositories, read with the system's git: the tree of a folder, then the wanted contents.

May import characters, locks and temporary. Begin with repository.py, then runner.py and process.py,
which say what git may do.
"""
