"""The JSON of requests and responses, with examples: one file for each resource, as in routes.

May import bmad.problem_kinds, bmad.readings, documents.kind_names, documents.text, git.names,
health, sync.skipped and web.
Begin with projects.py.
"""
