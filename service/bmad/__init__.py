"""The BMAD Method: what documents say of the work, and the stories, epics and problems of that.

Pure functions. Readers, one for each kind of document, return what one document says; board.py
joins what all documents of a source say. May import characters and documents.
Begin with reading.py, then board.py.
"""
