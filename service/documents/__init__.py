"""From a file's bytes to what the hub shows of it: text, title, front matter, headings, tree.

Pure functions on text of strangers; imports nothing of ours but characters. Begin with metadata.py.
"""
