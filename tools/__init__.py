"""Commands of the project, run by make from the root of the repository."""
