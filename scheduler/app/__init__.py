"""Puts the parts together: the only place where concrete classes meet. No policy about the battery of its own."""
