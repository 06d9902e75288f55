"""A request's body on its way in."""
