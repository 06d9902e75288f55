"""The client of a remote service: recipes are pushed, files are pulled, over any connection."""
