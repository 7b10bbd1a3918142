"""Searches: what a query asks for, which documents match, in which order, and what is shown.

May import database and documents. Begin with find.py.
"""
