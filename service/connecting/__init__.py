"""Connecting to PostgreSQL: DATABASE_URL, read once, for the two drivers asyncpg and libpq.

May import nothing of ours. Begin with url.py, then options.py, which decides on each option.
"""
