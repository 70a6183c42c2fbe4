"""Install pip into this environment from its wheel on PyPI; for a Python that comes without ensurepip."""

import hashlib
import html
import re
import runpy
import sys
import tempfile
import urllib.parse
import urllib.request

INDEX = "https://pypi.org/simple/pip/"

page = urllib.request.urlopen(INDEX, timeout=60).read().decode()
wheels = [html.unescape(link) for link in re.findall(r'href="([^"]+/pip-[0-9.]+-py3-none-any\.whl#[^"]+)"', page)]
link, _, checksum = urllib.parse.urljoin(INDEX, wheels[-1]).partition("#sha256=")
content = urllib.request.urlopen(link, timeout=60).read()
if hashlib.sha256(content).hexdigest() != checksum:
    sys.exit(f"the pip wheel from {link} does not match its checksum")
with tempfile.NamedTemporaryFile(suffix="-" + link.rsplit("/", 1)[1]) as file:
    file.write(content)
    file.flush()
    sys.path.insert(0, file.name)
    sys.argv = ["pip", "install", "--quiet", "pip"]
    runpy.run_module("pip", run_name="__main__")
