"""From a file's bytes to what the hub shows of it: text, title, front matter, headings, tree.

Pure functions on text of strangers. May import characters. Begin with metadata.py.
"""
