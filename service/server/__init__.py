"""Processes and sockets: uvicorn, its workers, and clients that are slow or do not speak HTTP.

May import app, web, logs, metrics and settings. Begin with serve.py.
"""
