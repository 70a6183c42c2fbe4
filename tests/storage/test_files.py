"""Single files: whole whoever else writes them, and where a user's name for them leads."""

import contextlib
import os
import socket
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from fewlevels.errors import StoreError, UsageError
from fewlevels.storage import files
from fewlevels.storage.files import remove_unfinished, write_file, write_whole


def test_a_file_is_on_the_disk_before_it_has_its_name_and_its_name_before_the_write_ends(tmp_path, monkeypatch):
    events: list[tuple[str, int, int]] = []
    fsync, rename = os.fsync, os.replace

    def recorded_fsync(descriptor: int) -> None:
        status = os.fstat(descriptor)
        events.append(("sync", status.st_ino, status.st_size))
        fsync(descriptor)

    def recorded_rename(old: Path, new: Path) -> None:
        status = os.stat(old)
        events.append(("rename", status.st_ino, status.st_size))
        rename(old, new)

    monkeypatch.setattr(os, "fsync", recorded_fsync)
    monkeypatch.setattr(os, "replace", recorded_rename)
    write_whole(tmp_path / "result", b"whole")
    file, folder = (tmp_path / "result").stat(), tmp_path.stat()
    assert events[:2] == [("sync", file.st_ino, 5), ("rename", file.st_ino, 5)]
    if hasattr(os, "O_DIRECTORY"):
        assert [event[:2] for event in events[2:]] == [("sync", folder.st_ino)]


WRITER = """
import sys
from pathlib import Path
from fewlevels.storage.files import write_whole
print("ready", flush=True)
while True:
    write_whole(Path(sys.argv[1]), sys.argv[2].encode() * int(sys.argv[3]))
"""


def test_a_file_that_two_processes_write_is_always_the_whole_of_one_content(tmp_path):
    path, contents = tmp_path / "report.html", {b"a" * 300_000, b"b" * 200_001}
    write_whole(path, b"a" * 300_000)
    command = [sys.executable, "-c", WRITER, path]
    writers = [
        subprocess.Popen([*command, *content], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for content in (("a", "300000"), ("b", "200001"))
    ]
    seen = set()
    for writer in writers:
        assert writer.stdout is not None and writer.stdout.readline() == b"ready\n"
    ends = time.monotonic() + 1.0
    while time.monotonic() < ends:
        seen.add(path.read_bytes())
    alive = [writer.poll() is None for writer in writers]
    for writer in writers:
        writer.kill()
        assert writer.communicate()[1] == b""
    assert alive == [True, True]
    assert seen == contents


def unfinished(folder: Path, machine: str, process: int) -> Path:
    path = folder / f".fewlevels-{machine}-{process}-{'0123456789abcdef'}.partial"
    path.write_bytes(b"half")
    return path


def dead_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_what_a_killed_writer_left_is_removed_and_nothing_of_a_living_one_or_of_anyone_else_s(tmp_path):
    here = files._machine()
    ours_dead = unfinished(tmp_path, here, dead_process())
    kept = [
        unfinished(tmp_path, here, os.getppid()),
        unfinished(tmp_path, "0" * 8, dead_process()),
        tmp_path / "download.iso.partial",
        tmp_path / ".fewlevels-notes.partial",
    ]
    for path in kept[2:]:
        path.write_bytes(b"a user's own")
    below, folder = tmp_path / "mine", tmp_path / "x.partial"
    below.mkdir(), folder.mkdir()
    kept += [unfinished(below, here, dead_process()), folder]
    link = tmp_path / f".fewlevels-{here}-{dead_process()}-0000000000000000.partial"
    link.symlink_to(below)
    remove_unfinished(tmp_path)
    assert not ours_dead.exists()
    assert all(path.exists() for path in [*kept, link])


def test_what_another_machine_left_is_removed_after_a_day(tmp_path):
    old, young = unfinished(tmp_path, "0" * 8, 1), unfinished(tmp_path, "1" * 8, 1)
    for path, hours in ((old, 25), (young, 23)):
        os.utime(path, (time.time() - 3600 * hours,) * 2)
    remove_unfinished(tmp_path)
    assert (old.exists(), young.exists()) == (False, True)


def test_a_writer_that_is_killed_leaves_a_file_that_is_known_for_its_own(tmp_path):
    code = f"""
import os
from pathlib import Path
from fewlevels.storage.files import write_whole
os.fsync = lambda _: os.kill(os.getpid(), 9)
write_whole(Path({str(tmp_path / "result")!r}), b"half")
"""
    subprocess.run([sys.executable, "-c", code], check=False)
    (left,) = tmp_path.iterdir()
    assert files.UNFINISHED.fullmatch(left.name)
    remove_unfinished(tmp_path)
    assert not left.exists()


def test_a_write_that_fails_leaves_nothing_behind(tmp_path):
    (tmp_path / "result").mkdir()
    with pytest.raises(OSError):
        write_whole(tmp_path / "result", b"whole")
    assert [path.name for path in tmp_path.iterdir()] == ["result"]


def test_a_new_name_is_written_and_its_folder_made(tmp_path):
    write_file(tmp_path / "new" / "deeper" / "deck.cir", b"whole")
    assert (tmp_path / "new" / "deeper" / "deck.cir").read_bytes() == b"whole"


def test_a_file_is_replaced_whole_and_keeps_its_permissions(tmp_path):
    path = tmp_path / "deck.cir"
    path.write_bytes(b"before")
    path.chmod(0o640)
    with path.open("rb") as before:
        write_file(path, b"after")
        assert before.read() == b"before"
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"after", 0o640)


def test_a_link_stays_and_what_it_leads_to_is_written(tmp_path):
    (tmp_path / "kept").mkdir()
    target, link, further = tmp_path / "kept" / "deck.cir", tmp_path / "link", tmp_path / "further"
    further.symlink_to("link")
    link.symlink_to("kept/deck.cir")
    for content in (b"new", b"replaced"):  # the link leads nowhere the first time
        write_file(further, content)
        assert (link.is_symlink(), further.is_symlink(), target.read_bytes()) == (True, True, content)
    assert [path.name for path in target.parent.iterdir()] == ["deck.cir"]


def test_links_in_a_circle_are_refused_in_a_sentence(tmp_path):
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to("one")
    with pytest.raises(StoreError, match=r"cannot write .*one: too many levels of symbolic links"):
        write_file(tmp_path / "one", b"")


def test_a_folder_is_refused_in_a_sentence(tmp_path):
    with pytest.raises(UsageError, match=r"is a folder; name a file to write"):
        write_file(tmp_path, b"")
    assert list(tmp_path.iterdir()) == []


def test_a_fifo_is_written_to_and_stays_a_fifo(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(path.read_bytes()))
    reader.start()
    write_file(path, b"deck" * 50_000)
    reader.join(10)
    assert read == [b"deck" * 50_000]
    assert path.is_fifo() and [each.name for each in tmp_path.iterdir()] == ["pipe"]


def test_a_socket_is_written_to_and_stays_a_socket(tmp_path):
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as listener:
        try:
            listener.bind(str(path))
        except OSError:
            pytest.skip("the name of the temporary folder is too long for a socket")
        listener.listen()
        write_file(path, b"deck")
        connection, _ = listener.accept()
        with connection:
            assert connection.recv(100) == b"deck"
    assert path.is_socket()


def test_a_device_is_written_to_and_stays_a_device(tmp_path):
    before = os.stat("/dev/null")
    write_file(Path("/dev/null"), b"deck")
    assert os.path.samestat(before, os.stat("/dev/null")) and stat.S_ISCHR(before.st_mode)
    (tmp_path / "nowhere").symlink_to("/dev/null")
    write_file(tmp_path / "nowhere", b"deck")
    assert (tmp_path / "nowhere").is_char_device()


def test_a_device_that_is_full_is_one_sentence():
    with pytest.raises(StoreError, match=r"cannot write /dev/full: no space left on device"):
        write_file(Path("/dev/full"), b"deck")


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
@pytest.mark.parametrize("to", ["file", "pipe"])
def test_the_standard_output_goes_on_after_what_was_printed(tmp_path, name, to):
    code = f"""
from pathlib import Path
from fewlevels.storage.files import write_file
print("before")
write_file(Path({name!r}), b"deck\\n")
print("after")
"""
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with contextlib.ExitStack() as stack:
        file = stack.enter_context((tmp_path / "out").open("wb")) if to == "file" else subprocess.PIPE
        done = subprocess.run([sys.executable, "-c", code], stdout=file, check=True, env=buffered)
    written = (tmp_path / "out").read_bytes() if to == "file" else done.stdout
    assert written == b"before\ndeck\nafter\n"


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everything")
def test_a_protected_file_is_not_replaced(tmp_path):
    path = tmp_path / "deck.cir"
    path.write_bytes(b"kept")
    path.chmod(0o444)
    with pytest.raises(StoreError, match="permission denied"):
        write_file(path, b"lost")
    assert path.read_bytes() == b"kept"


def test_a_file_as_a_folder_is_one_sentence(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError, match=r"cannot write .*file/deck: not a directory"):
        write_file(tmp_path / "file" / "deck", b"")
