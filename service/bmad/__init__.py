"""The BMAD Method: what its documents say of the work, and how far that is.

Pure functions on text. Readers, one module for each kind of document, return what one document says
(readings.py); board.py makes of all documents of a source its stories, epics and problems. Begin
with document.py.
"""
