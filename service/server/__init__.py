"""Processes and sockets: uvicorn, workers, draining, slow clients and malformed requests.

May import app, connecting, health, logs, metrics, settings, shared_values, sync.syncer and web.
Begin with serve.py.
"""
