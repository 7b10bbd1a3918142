"""Brings the schema up to date with sql/, with yoyo.

Imports nothing of ours. Begin with run.py.
"""
