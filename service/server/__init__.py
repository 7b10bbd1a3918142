"""Processes and sockets: uvicorn, its workers, and clients that are slow or do not speak HTTP.

May import app, health, logs, metrics, settings, sync.syncer and web. Begin with serve.py.
"""
