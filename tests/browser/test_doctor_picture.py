"""What the doctor says of the examples, shown as in a terminal."""

import html
import subprocess
import sys

from playwright.sync_api import expect

COLOURS = {"ok": "#7ee787", "warning": "#e3b341", "fault": "#ff7b72"}
PAGE = """
<body style="margin: 0; background: #161b22; color: #c9d1d9">
<pre style="margin: 28px 32px; font: 17px/1.55 'DejaVu Sans Mono', monospace">
{}</pre></body>
"""


def coloured(line):
    mark, _, rest = line.partition(" ")
    return f'<b style="color: {COLOURS[mark]}">{mark}</b> {html.escape(rest)}'


def test_the_way_to_an_example_is_free(context, start_example, screenshot):
    """The picture of the README is taken here: docs/pictures/doctor.png is a copy of it."""
    server = start_example("runserver")
    arguments = f"websocket_doctor ws://{server.host}:{server.port}/echo/socket/ --idle 1 --size"
    result = subprocess.run(
        [sys.executable, "manage.py", *arguments.split()],
        cwd=server.folder,
        env=server.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    lines = result.stdout.splitlines()
    way = [line.split()[1] for line in lines].index("dns")
    lines = lines[way:]  # those before speak of this machine, and of other tests' servers on it
    assert {line.split()[0] for line in lines} == {"ok"}, lines
    shown = [f"$ python manage.py {arguments}", "…", *map(coloured, lines)]
    page = context.new_page()
    page.set_viewport_size({"width": 1000, "height": 300})
    page.set_content(PAGE.format("\n".join(shown)))
    expect(page.locator("b")).to_have_count(len(lines))
    screenshot(page, "doctor")
