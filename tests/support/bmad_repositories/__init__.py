"""Repositories of small products by the BMAD Method, one for each layout, with their histories."""
