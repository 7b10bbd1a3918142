"""Attacks on a running service, each bounded, over loopback, with the figures that it cost.

`just attack` runs them all, `just attack NAME` some. Each gets a service in processes of its own,
a PostgreSQL and a git server. Throughout, the service's health is probed and its memory is sampled;
at the end SIGTERM stops it. The bounds are in `arena.py`.

To add one, write a function in a module of this package:

    @attack
    def slow_readers(arena: Arena) -> Figures:
        '''32 clients read a document slowly.'''
        project = arena.hub.create_project()
        …
        return {"responses": 32}

The tests of the rules that these attacks led to are beside the code that has them, in the suite.
"""
