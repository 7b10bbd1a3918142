"""A private PostgreSQL for machines that have none.

May import locks. Begin with postgres.py.
"""
