"""The service over HTTP: ``app.create_app`` makes the application, ``server.serve`` runs it.

Nothing is imported here: a parent of worker processes loads the server without the application.
"""
