"""The playground as its users have it: in a browser."""
