"""Groups across processes and machines: Redis carries what is sent, by publish and subscribe."""

from .backend import RedisGroupBackend

__all__ = ["RedisGroupBackend"]
