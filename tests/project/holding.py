"""Middleware that sets something up for as long as its request lasts, in each way there is.

``?kind=thread_local&value=x`` has one kind set up. A kind is a context manager, which undoes what
it has done, and a function that tells what is there: the value, or ``None``.
"""

import threading
from contextlib import contextmanager
from contextvars import ContextVar

from asgiref.local import Local
from django.contrib.sessions.models import Session
from django.db import connection, transaction
from django.dispatch import Signal
from django.utils import timezone

from .journal import record

plain_local = threading.local()
asgiref_local = Local()
variable = ContextVar("holding", default=None)
asked = Signal()

kinds = {}


def kind(see):
    """Register a context manager as a kind, with the function that tells what is there."""

    def register(hold):
        kinds[hold.__name__] = (contextmanager(hold), see)
        return hold

    return register


def attribute_of(place):
    return lambda value: getattr(place, "holding", None)


@kind(attribute_of(plain_local))
def thread_local(value):
    plain_local.holding = value
    yield
    del plain_local.holding


@kind(attribute_of(asgiref_local))
def local(value):
    asgiref_local.holding = value
    yield
    del asgiref_local.holding


@kind(lambda value: variable.get())
def context_variable(value):
    token = variable.set(value)
    yield
    variable.reset(token)


@kind(attribute_of(connection))
def connection_attribute(value):
    connection.holding = value
    yield
    del connection.holding


def answer_signal(value):
    answers = [answer for _, answer in asked.send(None)]
    return value if value in answers else None


@kind(answer_signal)
def signal_receiver(value):
    def answer(**kwargs):
        return value

    asked.connect(answer)
    yield
    asked.disconnect(answer)


def find_row(value):
    return value if value and Session.objects.filter(pk=value).exists() else None


@kind(find_row)
def open_transaction(value):
    """The row is there inside the transaction alone, which is never committed."""
    with transaction.atomic():
        Session.objects.create(pk=value, session_data="", expire_date=timezone.now())
        with transaction.atomic():
            yield
        transaction.set_rollback(True)


def ask_wrapper(value):
    with connection.cursor() as cursor:
        cursor.execute("SELECT 'nobody'")
        return next(iter(cursor.fetchone())) if value else None


@kind(lambda value: None if (seen := ask_wrapper(value)) == "nobody" else seen)
def query_wrapper(value):
    def answer(execute, sql, params, many, context):
        return execute(sql.replace("nobody", value), params, many, context)

    with connection.execute_wrapper(answer):
        yield


def see(request):
    """What a client's code sees of what its middleware has set up: the value, or ``None``."""
    return kinds[request.GET["kind"]][1](request.GET.get("value"))


class HoldingMiddleware:
    """Sets up what the address asks for, and tells the test what is there when it is undone."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        if "value" not in request.GET:
            return self.get_response(request)
        hold, _ = kinds[request.GET["kind"]]
        with hold(request.GET["value"]):
            thread = threading.get_ident()
            record(request, "set up")
            response = self.get_response(request)
            before, same = see(request), thread == threading.get_ident()
        record(request, "undone", before=before, after=see(request), same_thread=same)
        return response
