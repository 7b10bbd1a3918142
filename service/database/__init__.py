"""The database: hand-written SQL in, rows out, a deadline on every step, and errors by SQLSTATE.

May import connecting and problems. Begin with database.py.
"""
