"""Whether a server that has served very much holds no more than at first: `python -m soak`."""
