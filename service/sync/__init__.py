"""Brings a source's documents in: the queue of runs, the syncer that takes them, the run itself.

May import settings, problems, database, its errors, metrics, git, documents and characters. Begin
with syncer.py, which each worker has; then run.py.
"""
