"""Put pip, from its wheel on PyPI, into this environment; for a Python that comes without ensurepip."""

import hashlib
import html
import io
import re
import sys
import sysconfig
import urllib.parse
import urllib.request
import zipfile

INDEX = "https://pypi.org/simple/pip/"

page = urllib.request.urlopen(INDEX, timeout=60).read().decode()
wheels = re.findall(r'href="([^"]+/pip-[0-9.]+-py3-none-any\.whl#sha256=[^"]+)"', page)
link, _, checksum = urllib.parse.urljoin(INDEX, html.unescape(wheels[-1])).partition("#sha256=")
content = urllib.request.urlopen(link, timeout=60).read()
if hashlib.sha256(content).hexdigest() != checksum:
    sys.exit(f"the pip wheel from {link} does not match its checksum")
zipfile.ZipFile(io.BytesIO(content)).extractall(sysconfig.get_path("purelib"))
