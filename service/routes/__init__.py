"""The routes: one file for each resource, HTTP and SQL side by side.

May import bmad, characters, database, documents, drawing, git.names, health, problems, schemas,
search, state, sync.activity, sync.advisory_locks, sync.pushes, sync.queue, web and webhooks, and of
its own modules board_sql, quotas, search_parameters, shared and source_sql. Begin with projects.py.
"""
