"""A folder of results: locked or not, shards that say what they were made of, and a folder that goes away."""

import errno
import json
import os
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import pyarrow as pa
import pytest

from fewlevels.errors import ConfigError, FewlevelsWarning, StoreError
from fewlevels.storage import files, folder as folder_module
from fewlevels.storage.folder import Folder, checksum
from tests.storage.test_files import dead_process, unfinished

MADE_OF = {"alpha": 0.8, "seed": 1, "samples": "sha256:00", "starts": ("a", "b")}
TABLE = pa.table({"q": [4, 5]})


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """With one shard, `one`."""
    folder = Folder(tmp_path / "results")
    with folder.locked():
        folder.write_shard("one", TABLE, MADE_OF)
    return Folder(folder.path)


def test_a_shard_is_read_as_it_was_written_and_its_bytes_depend_on_nothing_else(folder, tmp_path):
    assert folder.read_shard("one", MADE_OF).equals(TABLE)
    again = Folder(tmp_path / "again")
    again.write_shard("one", TABLE, dict(reversed(MADE_OF.items())))
    (one,), (other,) = (list(each.shards.iterdir()) for each in (folder, again))
    assert (one.name, one.read_bytes()) == (other.name, other.read_bytes())
    assert checksum(one.read_bytes()) in one.name


def flip(path: Path) -> None:
    """Damage a file and keep its size."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_a_shard_that_was_verified_and_has_not_changed_is_not_read_again(folder, monkeypatch):
    with folder.locked():
        assert folder.has_shard("one", MADE_OF)
        folder.remember()
    again, opened, read = Folder(folder.path), folder_module._opened, list[Path]()
    monkeypatch.setattr(folder_module, "_opened", lambda path: read.append(path) or opened(path))
    assert again.has_shard("one", MADE_OF)
    assert not read
    assert again.read_shard("one", MADE_OF, ["q"]).equals(TABLE)
    assert not read
    with pytest.raises(ConfigError, match="seed is 1 there and 2 here"):
        again.has_shard("one", MADE_OF | {"seed": 2})
    assert Folder(folder.path, verify=True).has_shard("one", MADE_OF)
    assert len(read) == 2


@pytest.mark.parametrize("known", [b"", b"[]", b'{"one": 1}', b'{"one": ["a", 2, 3]}', b"\xff", b"[" * 10**5])
def test_a_damaged_record_of_what_was_verified_is_no_record(folder, known):
    (folder.path / "verified.json").write_bytes(known)
    with folder.locked():
        assert folder.has_shard("one", MADE_OF)
        folder.remember()
    (shard,) = folder.shards.iterdir()
    status = shard.stat()
    stored = json.loads((folder.path / "verified.json").read_bytes())
    assert {name: each[:2] for name, each in stored.items()} == {shard.name: [status.st_size, status.st_mtime_ns]}


def test_a_verified_shard_that_was_damaged_is_noticed_by_its_time_or_where_all_are_verified(folder):
    with folder.locked():
        assert folder.has_shard("one", MADE_OF)
        folder.remember()
    (shard,) = folder.shards.iterdir()
    times = shard.stat().st_atime_ns, shard.stat().st_mtime_ns
    flip(shard)
    with pytest.raises(StoreError, match=f"{shard.name} is damaged"):
        Folder(folder.path).read_shard("one", MADE_OF)
    os.utime(shard, ns=times)  # as a disk does that loses a bit
    assert Folder(folder.path).has_shard("one", MADE_OF)
    shard.write_bytes(b"x" * shard.stat().st_size)
    os.utime(shard, ns=times)
    with pytest.raises(
        StoreError, match=f"{shard.name} cannot be read: .*; run the same command with --verify to mend"
    ):
        Folder(folder.path).read_shard("one", MADE_OF)
    damaged = list[Path]()
    assert not Folder(folder.path, damaged.append, verify=True).has_shard("one", MADE_OF)
    assert damaged == [shard]


def test_what_two_writers_verified_is_remembered_together(folder):
    one, two = Folder(folder.path), Folder(folder.path)
    with one.shared(), two.shared():
        assert one.has_shard("one", MADE_OF)
        two.add_shard(two.write_shard("two", TABLE, MADE_OF), MADE_OF)
        one.remember()
        two.remember()
    there = {path.name for path in folder.shards.iterdir()}
    assert json.loads((folder.path / "verified.json").read_bytes()).keys() == there


def test_what_is_missing_is_said_by_name(folder):
    assert folder.find_shard("one", MADE_OF).equals(TABLE)
    assert folder.find_shard("two", MADE_OF) is None
    with pytest.raises(StoreError, match="is not complete: two is missing; run the same command again to go on"):
        folder.read_shard("two", MADE_OF)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"alpha": 1.0}, "alpha is 0.8 there and 1.0 here"),
        ({"seed": 2}, "seed is 1 there and 2 here"),
        ({"starts": ["a"]}, r"starts is \['a', 'b'\] there and \['a'\] here"),
        ({"samples": "sha256:01"}, "the content of the samples has changed"),
        ({"width": 3}, "width is unknown there and 3 here"),
    ],
)
def test_a_shard_of_something_else_is_refused_by_what_differs(folder, change, said):
    for read in (folder.read_shard, folder.find_shard):
        with pytest.raises(ConfigError, match=f"holds results of something else: {said} "):
            read("one", MADE_OF | change)


def test_a_shard_of_something_else_beside_the_right_one_is_left_aside_and_said(folder):
    folder.write_shard("one", pa.table({"q": [9, 9]}), MADE_OF | {"seed": 2})
    for again in (folder, Folder(folder.path)):
        with pytest.warns(FewlevelsWarning, match="is left aside: seed is 2 there and 1 here") as said:
            assert again.find_shard("one", MADE_OF).equals(TABLE)
            assert again.read_shard("one", MADE_OF).equals(TABLE)
        assert len(said) == 1


def test_a_renamed_shard_is_left_aside_and_its_name_is_missing(folder):
    (shard,) = folder.shards.iterdir()
    shard.rename(shard.with_name(shard.name.replace("one", "two")))
    folder = Folder(folder.path)
    with pytest.warns(FewlevelsWarning, match=r"two-.* is left aside: it is of one"):
        assert [folder.find_shard(name, MADE_OF) for name in ("one", "two")] == [None, None]
    with pytest.raises(StoreError, match="two is missing"):
        folder.read_shard("two", MADE_OF)


def test_a_shard_that_does_not_say_what_it_is_of_is_refused(folder):
    import pyarrow.parquet as pq

    pq.write_table(TABLE, folder.path / "bare")
    content = (folder.path / "bare").read_bytes()
    (folder.shards / f"two-{checksum(content)}.parquet").write_bytes(content)
    with pytest.raises(StoreError, match=r"two-.* comes from an earlier version .*; use another folder"):
        folder.find_shard("two", MADE_OF)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"no table at all"])
def test_a_damaged_shard_is_named_and_discarded(folder, content):
    named = list[Path]()
    folder = Folder(folder.path, named.append)
    (shard,) = folder.shards.iterdir()
    shard.write_bytes(content)
    named_for_it = folder.shards / f"two-{checksum(content)}.parquet"  # its checksum holds, it is no table
    named_for_it.write_bytes(content)
    own = {"parquet", "notes.parquet", "one-more.parquet"}
    for name in own:
        (folder.shards / name).write_bytes(b"a user's own")
    with pytest.raises(StoreError, match=f"{shard.name} is damaged"):
        folder.read_shard("one", MADE_OF)
    assert [folder.find_shard(name, MADE_OF) for name in ("one", "two", "one")] == [None] * 3
    assert named == [shard, named_for_it]
    assert {path.name for path in folder.shards.iterdir()} == own


def test_what_a_killed_command_left_is_discarded_and_a_user_s_own_files_stay(folder):
    here, dead = files._machine(), dead_process()
    (folder.path / "figures").mkdir()
    for own in ("mine", "x.partial", "shards/deeper"):
        (folder.path / own).mkdir()
    left = [unfinished(folder.path / name, here, dead) for name in ("", "shards", "figures")]
    kept = [folder.path / "mine" / "download.iso.partial", folder.path / "weights.npz.partial"]
    for path in kept:
        path.write_bytes(b"a user's own")
    kept += [unfinished(folder.path / name, here, dead) for name in ("mine", "shards/deeper", "x.partial")]
    with folder.locked():
        assert not any(path.exists() for path in left)
    assert all(path.exists() for path in kept)


def test_a_folder_is_listed_once_for_all_its_shards(folder, monkeypatch):
    listed, listdir = list[str](), os.listdir
    monkeypatch.setattr(os, "listdir", lambda path: listed.append(str(path)) or listdir(path))
    monkeypatch.setattr(Path, "iterdir", None)
    monkeypatch.setattr(Path, "glob", None)
    names = {f"name-{number}": MADE_OF for number in range(200)}
    with folder.locked():
        for name in names:
            assert folder.find_shard(name, MADE_OF) is None
            folder.write_shard(name, TABLE, MADE_OF)
            folder.read_shard(name, MADE_OF)
        assert all(folder.find_shard(name, MADE_OF) is not None for name in names)
    assert listed == [str(folder.shards)]


def test_a_second_process_is_refused(folder):
    with folder.locked(), pytest.raises(StoreError, match=r"another process works in .*; wait for it"):
        Folder(folder.path).locked().__enter__()


@pytest.mark.parametrize("name", ["ENOLCK", "ENOSYS", "ENOTSUP", "EOPNOTSUPP"])
def test_a_file_system_without_locks_is_said_once_and_used(folder, name, monkeypatch):
    import fcntl

    def refused(*_):
        raise OSError(getattr(errno, name), os.strerror(getattr(errno, name)))

    monkeypatch.setattr(fcntl, "flock", refused)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        with folder.locked(), Folder(folder.path).locked():
            folder.write("result", b"whole")
    assert [str(each.message).split(" (")[0] for each in said] == [f"the file system of {folder.path} has no locks"] * 2
    assert (folder.path / "result").read_bytes() == b"whole"


def test_a_lock_that_fails_otherwise_says_why(folder, monkeypatch):
    import fcntl

    def refused(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(fcntl, "flock", refused)
    with pytest.raises(StoreError, match=r"cannot lock .*: input/output error"):
        folder.locked().__enter__()


def removed(path: Path) -> None:
    shutil.rmtree(path)


def made_anew(path: Path) -> None:
    shutil.rmtree(path)
    (path / "shards").mkdir(parents=True)
    (path / "lock").touch()


def moved(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))


def emptied(path: Path) -> None:
    for file in [path for path in path.rglob("*") if path.is_file()]:
        file.unlink()


@pytest.mark.parametrize("lost", [removed, made_anew, moved, emptied])
def test_a_folder_that_goes_away_is_noticed_at_the_next_write_and_not_made_again(folder, lost):
    with folder.locked():
        lost(folder.path)
        before = sorted(folder.path.rglob("*"))
        for write in (lambda: folder.write("figures/fit.png", b""), lambda: folder.write_shard("two", TABLE, MADE_OF)):
            with pytest.raises(StoreError, match="was removed or made anew while this ran; run the same"):
                write()
        assert sorted(folder.path.rglob("*")) == before


@pytest.mark.parametrize("lost", [removed, made_anew, moved])
def test_a_folder_that_is_held_and_goes_away_is_noticed_without_a_lock(folder, lost):
    with folder.held():
        lost(folder.path)
        with pytest.raises(StoreError, match="was removed or made anew while this ran"):
            folder.write("report.html", b"")
    assert not (folder.path / "report.html").exists()


def test_a_folder_that_is_not_held_is_made_where_it_is_missing(tmp_path):
    Folder(tmp_path / "new").write("figures/fit.png", b"whole")
    assert (tmp_path / "new" / "figures" / "fit.png").read_bytes() == b"whole"


def test_two_processes_without_a_lock_write_the_same_shards(tmp_path):
    code = f"""
import fcntl, errno, sys
from pathlib import Path
import pyarrow as pa
from fewlevels.storage.folder import Folder
def refused(*_): raise OSError(errno.ENOLCK, "No locks available")
fcntl.flock = refused
folder = Folder(Path({str(tmp_path / "results")!r}))
with folder.locked():
    for number in range(30):
        folder.write_shard(f"{{number:03}}", pa.table({{"q": list(range(number, 2000))}}), {{"seed": 1}})
"""
    processes = [subprocess.Popen([sys.executable, "-W", "ignore", "-c", code], stderr=subprocess.PIPE) for _ in "ab"]
    assert [(process.communicate()[1], process.returncode) for process in processes] == [(b"", 0)] * 2
    folder = Folder(tmp_path / "results")
    assert len(list(folder.shards.iterdir())) == 30
    for number in range(30):
        assert folder.read_shard(f"{number:03}", {"seed": 1})["q"].to_pylist() == list(range(number, 2000))
    assert {path.name for path in folder.path.iterdir()} == {"lock", "shards"}


def test_the_first_file_written_removes_what_a_killed_writer_left(tmp_path):
    (tmp_path / "figures").mkdir()
    left = unfinished(tmp_path / "figures", files._machine(), dead_process())
    own = unfinished(tmp_path, files._machine(), os.getpid())
    folder = Folder(tmp_path)
    folder.write("search.json", b"{}")
    assert left.exists() and own.exists()
    folder.write("figures/one.png", b"")
    assert not left.exists() and own.exists()  # its writer lives
