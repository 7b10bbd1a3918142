"""The routes: one file for each resource, HTTP and SQL side by side.

May import bmad, characters, database, documents, drawing, git.names, health, problems, schemas,
search, state, sync.activity, sync.advisory_locks, sync.pushes, sync.queue, web and webhooks, and of
its own modules board_sql, quotas and shared. Begin with projects.py.
"""
