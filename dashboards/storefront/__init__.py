"""Pages on which a person tries the whole shop in a browser, on a session of Django's."""
