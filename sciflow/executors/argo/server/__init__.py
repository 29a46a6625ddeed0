"""Argo's server, or Kubernetes itself, and what they say."""
