"""Where code runs: threads, event loops, what is set up around a call, databases given back."""
