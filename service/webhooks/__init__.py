"""Reads the webhooks of GitHub, GitLab, Gitea and Bitbucket: plain functions, no database.

May import nothing of ours. Begin with hosts.py: the headers of each host, and how it proves who it
is. payloads.py reads what was pushed.
"""
