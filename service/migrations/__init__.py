"""Brings the schema up to date with the files of sql/, by yoyo.

Imports nothing of ours. Begin with run.py.
"""
