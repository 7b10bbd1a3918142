"""Reads strangers' repositories with the system's git: a folder's tree, then the wanted contents.

May import characters and locks. Begin with repository.py; process.py says what git may do.
"""
