"""Migrate the schema with the files of sql/, roll back and compare, by yoyo.

May import connecting. Begin with run.py.
"""
