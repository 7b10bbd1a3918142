"""The routes, one file for each resource: HTTP and SQL side by side."""
