"""The Channels side of the project: an async consumer in the stack that Channels documents.

Sessions and authentication stand around it, as they do around a Django view by Django's default
middleware.
"""

from channels.auth import AuthMiddlewareStack
from channels.generic.websocket import AsyncWebsocketConsumer, WebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application
from django.urls import path


class Echo(AsyncWebsocketConsumer):
    async def receive(self, text_data=None, bytes_data=None):
        await self.send(text_data=text_data, bytes_data=bytes_data)


class SyncEcho(WebsocketConsumer):
    def receive(self, text_data=None, bytes_data=None):
        self.send(text_data=text_data, bytes_data=bytes_data)


class Member(AsyncWebsocketConsumer):
    """As many bytes as one says, all get."""

    async def connect(self):
        await self.channel_layer.group_add("fanout", self.channel_name)
        await self.accept()

    async def receive(self, text_data=None, bytes_data=None):
        text = "x" * int(text_data)
        await self.channel_layer.group_send("fanout", {"type": "tell", "text": text})

    async def tell(self, event):
        await self.send(text_data=event["text"])


class Deployed(AsyncWebsocketConsumer):
    """Counts what has come."""

    count = 0

    async def receive(self, text_data=None, bytes_data=None):
        if text_data.startswith("g "):
            await self.channel_layer.group_send("deploy", {"type": "tell", "text": text_data})
            return
        self.count += 1
        await self.send(text_data=f"{text_data} {self.count}")

    async def tell(self, event):
        await self.send(text_data=event["text"])


class DeployedMember(Deployed):
    async def connect(self):
        await self.channel_layer.group_add("deploy", self.channel_name)
        await self.accept()


http = get_asgi_application()
routes = URLRouter(
    [
        path("echo/", Echo.as_asgi()),
        path("sync/", SyncEcho.as_asgi()),
        path("fanout/", Member.as_asgi()),
        path("deploy/", Deployed.as_asgi()),
        path("deploy/member/", DeployedMember.as_asgi()),
    ]
)

application = ProtocolTypeRouter({"http": http, "websocket": AuthMiddlewareStack(routes)})
