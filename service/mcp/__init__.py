"""What coding agents use: the endpoint of the Model Context Protocol, and its tools.

The tools call the query functions of routes. May import bmad, characters, database, documents,
problems, routes, search, state and web. Begin with endpoint.py.
"""
