"""The packages that Django's users have most, all in one project with WebSockets."""
