"""Sphinx: make docs."""

project = "dwebsocket"
copyright = "the dwebsocket authors"
html_title = "dwebsocket"

extensions = ["myst_parser"]
exclude_patterns = ["_build"]
nitpicky = True
html_theme = "furo"
html_copy_source = False

myst_heading_anchors = 3  # headings can be linked to, as on a code host
