"""Migrate the schema with the files of sql/, roll back and compare, by yoyo.

May import no other room. Begin with run.py.
"""
