"""A private PostgreSQL for machines without one: `DATABASE_URL=embedded:PATH`.

May import locks. Begin with postgres.py.
"""
