"""What pyproject.toml says of the project."""

import re

from ..docs.pages import ROOT

TEXT = (ROOT / "pyproject.toml").read_text()
CLASSIFIERS = re.findall(r'^    "(.+ :: .+)",$', TEXT, re.M)
URLS = dict(re.findall(r'^(\w+) = "(https://.+)"$', TEXT, re.M))
REPOSITORY = URLS["Repository"]
#: What is installed beside the package.
MODULES = re.findall(r'"(\w+)"', "".join(re.findall(r"^py-modules = (\[.*?\])", TEXT, re.M | re.S)))


def versions(topic):
    """Those that a topic's classifiers name: "Framework :: Django"."""
    found = [re.fullmatch(rf"{topic} :: (\d+\.\d+)", line) for line in CLASSIFIERS]
    return [match[1] for match in found if match]
