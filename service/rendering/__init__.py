"""Documents as HTML, as GitHub shows them, without what a stranger's text may not do in a page.

Pure functions: a text in, HTML out. Every text is hostile. May import characters and documents.
Begin with document.py.
"""
