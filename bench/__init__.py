"""What a WebSocket costs: dwebsocket and others, side by side. `python -m bench --help` says how.

works.py        what is measured, and our targets
servers/        an echo server each: ours and the others; project/ is their Django project
processes.py    starts a server on a processor of its own, and ends it
certificate.py  for those over TLS
load.py         builds the load generator (wsload.c), runs it, reads its figures
__main__.py     the order of a run: rounds, servers, works
results.py      medians, ratios, targets
report.py       the text: progress, summary, docs/benchmarks.md; machine.py knows the versions
fanout.py       by itself: one message to many, also through Redis; members.py are the many,
                fanout_report.py is its section of docs/benchmarks.md
stalled.py      a part of that, or by itself: one reader of many stops reading
chart.py        the bars: docs/benchmarks.svg
"""
