"""What django-ws 1.0 shows on its page, and what was wrong with it."""
