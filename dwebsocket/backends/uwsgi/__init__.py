"""The uWSGI backend: our codec over the descriptor of uWSGI's own connection."""
