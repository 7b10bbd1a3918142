"""Migrate the schema with the files of sql/, roll back and compare, by yoyo.

May import nothing of ours. Begin with run.py.
"""
