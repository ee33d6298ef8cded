"""What a view does with a group."""

from __future__ import annotations

import json
from functools import partial
from typing import Any, cast

from django.core.serializers.json import DjangoJSONEncoder
from django.http import HttpRequest

from dwebsocket.conf import conf
from dwebsocket.exceptions import GroupUnavailable
from dwebsocket.html import AnyTemplate, arender_html, render_html
from dwebsocket.http import WebSocket
from dwebsocket.protocol.frames import check_close
from dwebsocket.protocol.messages import BytesLike, as_bytes
from dwebsocket.running.threads import in_thread

from .arguments import (
    NO_HISTORY,
    check_accepted,
    check_encodable,
    check_plain,
    check_position,
    get_keeper,
    get_presence,
)
from .commit import call_on_commit
from .counting import count_everywhere
from .current import find_backend, get_backend, get_members
from .envelope import Closing
from .history import Joined, Recall, Rule, check_whole, create_rule, find_rule
from .members import Member
from .presence import Key, check_key, encode_info
from .recent import recent
from .survey import check_name

__all__ = ["Group"]


class Group:
    """The WebSockets that are called by one name. Costs nothing to make: make it where you need it.

    Args:
        name: any text that is not empty.
        history: how many of the newest messages are kept, for who comes back, or comes later.
            Without it ``WEBSOCKET_GROUP_HISTORY`` says so.
        seconds: how long they are kept, an hour if it is not said.
        cache: whether who is added is sent the newest message; without ``history`` only that one is
            kept.

    Attributes:
        name: its name. Two with the same name are equal.

    Raises:
        TypeError: ``history`` or ``seconds`` is no number, or ``cache`` no ``bool``.
        ValueError: ``name`` is no ``str``, is empty, begins with ``"\\0dwebsocket:"``, or has half
            a surrogate pair, which JSON may bring; ``history`` or ``seconds`` is not above 0, or
            more than can be kept.
    """

    __slots__ = ("_rule", "name")

    def __init__(
        self,
        name: str,
        history: int | None = None,
        seconds: float | None = None,
        *,
        cache: bool = False,
    ) -> None:
        if not isinstance(name, str) or not name:
            raise ValueError(f"the name of a group is a str that is not empty, not {name!r}")
        if not name.isascii():
            check_encodable(name)
        check_name(name)
        self.name = name
        self._rule = create_rule(history, seconds, cache=cache)

    def __repr__(self) -> str:
        return f"Group({self.name!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Group) and other.name == self.name

    def __hash__(self) -> int:
        return hash((Group, self.name))

    def __len__(self) -> int:
        """How many members there are in this process."""
        return get_members().count(self.name)

    def __bool__(self) -> bool:
        """A group without members is a group."""
        return True

    def __contains__(self, websocket: object) -> bool:
        return get_members().has(self.name, cast(Member, websocket))

    def add(
        self,
        websocket: WebSocket,
        since: str | None = None,
        *,
        newest: int = 0,
        positions: bool = False,
    ) -> Joined | None:
        """Let the WebSocket get what is sent to the group, until it closes. A closed one is not
        added. The rest is for groups with a history.

        Args:
            since: a position: what was sent behind it comes first. ``None``: the one that the
                page's client has brought, if it is ours. Empty: there is none.
            newest: without a position, or if something behind it is missing, so many of the newest
                messages come first.
            positions: whether each message comes as JSON, with its position (``position``), the
                group (``group``) and what was sent (``data``; of bytes ``base64``). Before them
                comes a position to go on from, and whether nothing is missing (``recovered``).

        Returns:
            Where it is now, and whether it got all that it has missed; ``None`` for a group without
            a history.

        Raises:
            GroupUnavailable: the history cannot be read. It is not added.
            InvalidState: it is not accepted yet.
            TypeError: it is no WebSocket, ``since`` no text, or ``newest`` no whole number.
            ValueError: ``newest`` is below 0 or too many; or one of these for a group without a
                history.
        """
        member = check_accepted(websocket)
        check_position(since)
        check_whole("newest", newest, 0)
        rule = self._find_rule()
        backend = get_backend()
        joined = None
        if rule is not None and member._positions is not None:
            brought = member._positions.take(self.name)
            if since is None and not rule.sends_newest:  # it gets the newest, whatever it has
                since = brought
        try:
            if rule is None:
                check_plain(self.name, since, newest, positions)
                get_members().add(self.name, member)
                backend.subscribe(self.name)  # not for the first alone: all wait for it
            else:
                newest = newest or int(rule.sends_newest)
                joined = get_keeper(backend).join(
                    self.name, member, backend.subscribe, since, newest, positions=positions
                )
        except GroupUnavailable:
            self.discard(websocket)
            raise
        if member._hooks is not None and backend.presence is not None:
            backend.presence.join(self.name, member)
        if member._has_ended:  # meanwhile, or before
            self.discard(websocket)
        return joined

    async def aadd(
        self,
        websocket: WebSocket,
        since: str | None = None,
        *,
        newest: int = 0,
        positions: bool = False,
    ) -> Joined | None:
        """``add()`` for async code."""
        add = partial(self.add, websocket, since, newest=newest, positions=positions)
        return await in_thread(add)

    def discard(self, websocket: WebSocket) -> None:
        """Take the WebSocket out of the group; nothing happens if it is no member."""
        member = cast(Member, websocket)
        backend = find_backend()
        if backend is not None and backend.presence is not None:
            backend.presence.discard(self.name, member)
        if websocket in self and member._positions is not None:
            member._positions.forget(self.name)
        if get_members().discard(self.name, member):
            get_backend().unsubscribe(self.name)

    def track(self, websocket: WebSocket, key: Key, info: Any = None) -> None:
        """Have somebody present in the group while this WebSocket is open. Several under the same
        key are one. Never waits for others, who see it in a moment.

        Args:
            key: who it is, such as ``request.user.pk``: ``str`` or ``int``, at most 256 characters.
                A UUID becomes ``str``.
            info: what is told of them, JSON of at most 4096 bytes. That of the newest WebSocket
                counts.

        Raises:
            InvalidGroupBackend: the backend does not know who is present.
            InvalidState: the WebSocket is not accepted yet.
            TypeError: it is no WebSocket, or the key or the info of a wrong type.
            ValueError: the key or the info is too long.
        """
        member = check_accepted(websocket, "track()")
        presence = get_presence(get_backend())
        presence.track(self.name, member, check_key(key), encode_info(info))
        if member._has_ended:
            presence.leave(member)

    async def atrack(self, websocket: WebSocket, key: Key, info: Any = None) -> None:
        """``track()`` for async code."""
        await in_thread(self.track, websocket, key, info)

    def untrack(self, websocket: WebSocket) -> None:
        """Have it present no more, as if it had closed; nothing happens if it was not."""
        get_presence(get_backend()).untrack(self.name, cast(Member, websocket))

    def present(self) -> dict[Key, Any]:
        """Who is present, in all processes: each key with its info. A key stays for
        ``WEBSOCKET_PRESENCE_GRACE`` seconds when its last WebSocket has closed.

        Raises:
            GroupUnavailable: nobody can say.
            InvalidGroupBackend: the backend does not know who is present.
        """
        return get_presence(get_backend()).present(self.name)

    async def apresent(self) -> dict[Key, Any]:
        """``present()`` for async code."""
        return await in_thread(self.present)

    def send(
        self,
        message: str | BytesLike,
        exclude: WebSocket | None = None,
        *,
        keep: bool = True,
        on_commit: bool | None = None,
        using: str | None = None,
    ) -> None:
        """Send ``str`` as text, bytes-like as binary, to every member but ``exclude``. Waits for no
        reader.

        Args:
            keep: ``False`` keeps this one out of the group's history.
            on_commit: whether it is sent when the transaction that the caller is in is committed,
                and not at all if it is rolled back; ``None``: as ``WEBSOCKET_GROUPS_ON_COMMIT``
                says. Without a transaction it is sent at once.
            using: the database of that transaction, ``None``: the default one.

        Raises:
            GroupUnavailable: the members in other processes did not get it; of a group with a
                history perhaps nobody. Behind a commit it is logged, and not raised.
            TransactionManagementError: ``on_commit``, in a transaction that is not ``atomic()``'s.
            TypeError: ``message`` is of another type.
        """
        content = message if isinstance(message, str) else as_bytes(message)
        send = partial(self._send, content, exclude, keep)
        call_on_commit(self.name, send, on_commit, using)

    def send_json(
        self,
        obj: Any,
        exclude: WebSocket | None = None,
        *,
        keep: bool = True,
        on_commit: bool | None = None,
        using: str | None = None,
    ) -> None:
        """Send ``obj`` as JSON text; dates, decimals and UUIDs as Django's encoder writes them."""
        text = json.dumps(obj, cls=DjangoJSONEncoder)
        self.send(text, exclude, keep=keep, on_commit=on_commit, using=using)

    def send_html(
        self,
        template: AnyTemplate,
        context: dict[str, Any] | None = None,
        request: HttpRequest | None = None,
        exclude: WebSocket | None = None,
        *,
        engine: str | None = None,
        keep: bool = True,
        on_commit: bool | None = None,
        using: str | None = None,
    ) -> None:
        """Send what a template makes of ``context``, as text: rendered now and once, whoever gets
        it, so in the language of the sender, and with what ``request`` knows of the sender.

        Args:
            template, context, request, engine: as ``WebSocket.send_html()`` has them.
            exclude, keep, on_commit, using: as ``send()`` has them; ``using`` is a database.

        Raises:
            TemplateDoesNotExist: no engine has the template.
            TypeError: ``context`` is no dictionary, or ``template`` of another type.
        """
        text = render_html(template, context, request, engine)
        self.send(text, exclude, keep=keep, on_commit=on_commit, using=using)

    async def asend_html(
        self,
        template: AnyTemplate,
        context: dict[str, Any] | None = None,
        request: HttpRequest | None = None,
        exclude: WebSocket | None = None,
        *,
        engine: str | None = None,
        keep: bool = True,
    ) -> None:
        """``send_html()`` for async code: the template is rendered in a thread, and may query the
        database.
        """
        text = await arender_html(template, context, request, engine)
        await self.asend(text, exclude, keep=keep)

    async def asend(
        self, message: str | BytesLike, exclude: WebSocket | None = None, *, keep: bool = True
    ) -> None:
        """``send()`` for async code, in which there are no transactions."""
        await in_thread(partial(self.send, message, exclude, keep=keep, on_commit=False))

    def history(self, since: str | None = None, limit: int = 100) -> Recall:
        """What the group remembers.

        Args:
            since: a position: what was sent behind it. ``None`` or empty: the newest messages.
            limit: how many at most.

        Raises:
            GroupUnavailable: nobody can say.
            TypeError: ``since`` is no text, or the limit no whole number.
            ValueError: the group has no history, or the limit is below 1 or too high.
        """
        if self._find_rule() is None:
            raise ValueError(NO_HISTORY % self.name)
        check_position(since)
        check_whole("limit", limit, 1)
        return get_keeper(get_backend()).recall(self.name, since, limit)

    async def ahistory(self, since: str | None = None, limit: int = 100) -> Recall:
        """``history()`` for async code."""
        return await in_thread(self.history, since, limit)

    def count(self, *, timeout: float = 1.0) -> int:
        """How many members there are in all processes that answer.

        Args:
            timeout: seconds for which a process may be silent.

        Raises:
            GroupUnavailable: the other processes cannot be asked.
            SynchronousOnlyOperation: the caller runs in an event loop.
        """
        return count_everywhere(self.name, timeout)

    async def acount(self, *, timeout: float = 1.0) -> int:
        """``count()`` for async code."""
        return await in_thread(partial(self.count, timeout=timeout))

    def close(
        self,
        code: int = 1000,
        reason: str = "",
        *,
        on_commit: bool | None = None,
        using: str | None = None,
    ) -> None:
        """Close every member, behind what has been sent to it.

        Args:
            on_commit, using: as ``send()`` has them.

        Raises:
            GroupUnavailable: the members in other processes were not reached.
            TypeError: the code is no number, or the reason no text.
            ValueError: a code that may not be sent, or too long a reason.
        """
        closing = Closing(*check_close(code, reason))
        publish = partial(self._publish, closing, None, self._find_rule())
        call_on_commit(self.name, publish, on_commit, using)

    def _send(self, content: str | bytes, exclude: WebSocket | None, keep: bool) -> None:
        rule = self._find_rule()
        if keep and rule is not None:
            with recent.sending():
                get_keeper(get_backend()).append(self.name, content, rule, exclude)
        else:
            self._publish(content, exclude, rule)

    def _publish(
        self, content: str | bytes | Closing, exclude: WebSocket | None, rule: Rule | None
    ) -> None:
        backend = get_backend()
        with recent.sending():
            if rule is None:
                backend.send(self.name, content, exclude)
            else:
                backend.publish_behind(self.name, content, exclude)

    def _find_rule(self) -> Rule | None:
        """What it remembers: as it was made, or as the setting says."""
        rule = self._rule
        return find_rule(self.name) if rule is None and conf.GROUP_HISTORY else rule
