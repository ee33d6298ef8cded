"""The Django project that dwebsocket and Channels are measured with."""
