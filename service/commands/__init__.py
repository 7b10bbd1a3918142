"""The command line, `python -m service COMMAND`.

May import everything. Begin with main.py.
"""
