"""The routes: one file for each resource, HTTP and SQL side by side.

May import state, web, health, database, problems, sync.queue, git.names, documents, and of its own
files shared.py alone. Begin with projects.py.
"""
