"""Brings a source's documents in: the queue of runs, the syncer that takes them, the run itself.

May import characters, database, database_errors, documents, git, metrics, problems and
settings. Begin with syncer.py, which each worker has; then run.py.
"""
