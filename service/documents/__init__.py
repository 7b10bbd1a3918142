"""From a file's bytes to what the hub shows: text, front matter, headings, sections, file tree.

Pure functions; the texts are untrusted. May import characters and temporary.
Begin with sections.py.
"""
