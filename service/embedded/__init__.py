"""A private PostgreSQL for machines without one: `DATABASE_URL=embedded:PATH`.

May import locks and temporary. Begin with postgres.py.
"""
