"""The client of a remote service: pushes recipes and pulls files, over unreliable connections."""
