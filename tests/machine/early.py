"""An app that sends to a group while it is loaded: in the master of a server, before that forks."""

from django.apps import AppConfig

from dwebsocket import Group


class Early(AppConfig):
    name = "tests.machine.early"
    label = "early"

    def ready(self):
        Group("news").send("the site starts")
