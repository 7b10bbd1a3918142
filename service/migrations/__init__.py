"""Brings the schema up to date with the files of sql/, by yoyo.

May import nothing of ours. Begin with run.py.
"""
