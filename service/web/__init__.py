"""The base of every route: middleware, router, authorization, bodies, paging, problems, OpenAPI.

Large responses: pieces.py sends them, large_bodies.py limits how much of them is in memory.

May import characters, database, memory, problems and telemetry; never state, so that it can serve
any routes. Begin with middleware.py, which every request passes, then operation.py, by which every
route describes itself.
"""
