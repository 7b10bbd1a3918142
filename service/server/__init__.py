"""Processes and sockets: uvicorn, workers, draining, slow clients and malformed requests.

May import app, connecting, health, settings, sync.syncer, telemetry and web.
Begin with serve.py.
"""
