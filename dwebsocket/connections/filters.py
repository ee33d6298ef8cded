"""Which connections are meant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from .facts import Connection
from .users import key_of

__all__ = ["Filter"]


class Filter(NamedTuple):
    """What those have that are meant; ``None``: that does not matter.

    Attributes:
        ids: one of these.
        path: this path, in which ``*``, ``?`` and ``[…]`` stand for others.
        user: this user's name.
        user_pk: this user's primary key.
        group: this group.
    """

    ids: list[str] | None = None
    path: str | None = None
    user: str | None = None
    user_pk: str | None = None
    group: str | None = None

    @classmethod
    def build(
        cls, ids: Iterable[str] | None, path: str | None, user: Any, group: str | None
    ) -> Filter:
        """What ``list()`` and ``close()`` are given.

        Raises:
            TypeError: of another type.
            ValueError: nobody is logged in as this user.
        """
        if isinstance(ids, str):
            raise TypeError(f"ids is {ids!r}, it must be a list of such texts")
        for name, text in (("path", path), ("group", group)):
            if text is not None and not isinstance(text, str):
                raise TypeError(f"{name} is {text!r}, it must be a text")
        found = None if ids is None else list(ids)
        if user is None or isinstance(user, str):
            return cls(found, path, user, None, group)
        key = key_of(user)
        if key is None:
            raise ValueError(f"user is {user!r}, which has no primary key: whose connections?")
        return cls(found, path, None, key, group)

    @property
    def is_empty(self) -> bool:
        """Whether all are meant."""
        return all(one is None for one in self)

    @classmethod
    def unpack(cls, args: Mapping[str, Any]) -> Filter:
        """What ``_asdict`` has made."""
        return cls(**{name: args.get(name) for name in cls._fields})

    def fits(self, one: Connection) -> bool:
        """Whether this one is meant."""
        return (
            (self.ids is None or one.id in self.ids)
            and (self.path is None or fnmatchcase(one.path or "", self.path))
            and (self.user is None or one.user == self.user)
            and (self.user_pk is None or one.user_pk == self.user_pk)
            and (self.group is None or self.group in one.groups)
        )
