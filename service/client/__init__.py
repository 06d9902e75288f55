"""The client of a service elsewhere: recipes go there, files come back, over any connection."""
