"""The wheel, and the README's Python."""

import re
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_the_wheel_installs_and_runs_where_there_is_no_compiler(tmp_path):
    wheels, fresh = tmp_path / "wheels", tmp_path / "fresh"
    pip_wheel = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", wheels, ROOT]
    subprocess.run(pip_wheel, check=True, timeout=500)
    (wheel,) = wheels.glob("fewlevels-*.whl")
    expected = "cp311-cp311" if sys.version_info < (3, 12) else "cp312-abi3"
    assert expected in wheel.name
    venv.create(fresh)  # without a pip of its own, which Debian keeps in another package: ours installs into it
    bare = {"PATH": str(fresh / "bin"), "HOME": str(tmp_path)}
    into_fresh = [sys.executable, "-m", "pip", "--python", fresh / "bin" / "python"]
    pip = [*into_fresh, "install", "--quiet", "--only-binary", ":all:", wheel]
    subprocess.run(pip, check=True, env=bare, timeout=500)
    study = [
        "study",
        "--out",
        tmp_path / "study",
        "--seeds",
        "1",
        "--repeats",
        "16",
        "--epochs",
        "300",
        "--q-max",
        "16",
    ]
    done = subprocess.run(
        [fresh / "bin" / "fewlevels", *study], capture_output=True, text=True, env=bare, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "study" / "report.html").is_file()


def test_the_readmes_python_runs_as_it_stands():
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    code = "\n".join(blocks)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^[34] levels: \[", done.stdout)
    assert "recognition: 1.0" in done.stdout
    assert "\nconverged [" in done.stdout


def test_every_command_and_file_of_the_readme_exists():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    targets = re.findall(r"^    make (\w+)", text, re.MULTILINE)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert targets
    assert all(re.search(f"^{target}:", makefile, re.MULTILINE) for target in targets)
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert all((ROOT / link).exists() for link in links if "://" not in link)
