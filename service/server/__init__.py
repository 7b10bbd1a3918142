"""Processes and sockets: uvicorn, its workers, and clients that are slow or do not speak HTTP.

May import app, web, health, logs, metrics, settings and sync.syncer. Begin with serve.py.
"""
