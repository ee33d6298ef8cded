"""Notes are taken by whatever goes on when its request has ended."""

from asgiref.sync import sync_to_async
from django.http import HttpResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt
from notes.models import Note

from dwebsocket import WebSocketHandler, require_websocket


class Handler(WebSocketHandler):
    """Answers with the number of notes that do not begin as its tenant's do."""

    keep_request = False

    def on_open(self):
        self.schema = self.request.tenant.schema_name

    def on_message(self, text):
        Note.objects.create(text=text)
        self.send(str(Note.objects.exclude(text__startswith=self.schema).count()))

    def on_close(self):
        Note.objects.create(text=f"{self.schema} has left")


class AsyncHandler(WebSocketHandler):
    async def on_message(self, text):
        await Note.objects.acreate(text=text)
        strangers = Note.objects.exclude(text__startswith=self.request.tenant.schema_name)
        await self.send(str(await strangers.acount()))

    async def on_close(self):
        await Note.objects.acreate(text=f"{self.request.tenant.schema_name} has left")


@require_websocket
async def async_view(request):
    schema = request.tenant.schema_name
    async for text in request.websocket:
        await Note.objects.acreate(text=text)
        strangers = await sync_to_async(Note.objects.exclude(text__startswith=schema).count)()
        await request.websocket.asend(str(strangers))
    await Note.objects.acreate(text=f"{schema} has left")


@csrf_exempt
def plain(request):
    Note.objects.create(text=request.GET["text"])
    schema = request.tenant.schema_name
    return HttpResponse(str(Note.objects.exclude(text__startswith=schema).count()))


urlpatterns = [
    path("", include("notes.urls")),
    path("handler/", Handler.as_view()),
    path("async-handler/", AsyncHandler.as_view()),
    path("async-view/", async_view),
    path("plain/", plain),
]
