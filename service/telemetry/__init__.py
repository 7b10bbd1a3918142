"""What operators see: the log, which blocks nothing, and the metrics of all workers.

May import temporary. Begin with logs.py and metrics.py.
"""
