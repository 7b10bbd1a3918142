"""The pages for people: their routes, templates, style and script.

The pages call the query functions of routes. May import bmad, characters, database, documents,
drawing, git.web_urls, problems, rendering, routes, search, state and web. Begin with overview.py.
"""
