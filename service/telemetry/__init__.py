"""What operators see: the log, which blocks nothing, and the metrics of all workers.

May import database.pool and temporary. Begin with logs.py and metrics.py.
"""
