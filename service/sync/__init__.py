"""Syncs sources with git: the queue of runs, the syncer that claims them, and the run itself.

May import bmad, characters, database, documents, git, memory, problems, settings, telemetry and
temporary. Begin with syncer.py, which each worker has; then process_main.py, in whose process
run.py does a run.
"""
