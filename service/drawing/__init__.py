"""Drawing: the burn-up chart, the badge, the feed, and bars for a terminal.

Pure functions: numbers and texts in, one text out. Every text is hostile: names of projects and
titles of documents come from outside. May import characters. Begin with burnup.py.
"""
