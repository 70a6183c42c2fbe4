"""Files that are not what they seem: damaged, hostile or no files at all end in one sentence, soon."""

from __future__ import annotations

import contextlib
import io
import os
import socket
import struct
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from fewlevels import load_device, load_networks, load_samples
from fewlevels.common.npz import FREE_BYTES, npz_names, read_npz
from fewlevels.common.toml import read_toml
from fewlevels.devices.files import LIBRARY, read_device
from fewlevels.errors import ConfigError, FewlevelsError, NetworksError, SamplesError
from fewlevels.study.config import make_config, read_config
from fewlevels.study.folder import Store

QUICK = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
X, Y = np.eye(4), np.arange(4)
LOADERS = (load_samples, load_networks, load_device)


@contextlib.contextmanager
def refused(*says: str, within_seconds: float = 2.0) -> Iterator[None]:
    """One of the package's errors, one line long, within seconds."""
    began = time.perf_counter()
    with pytest.raises(FewlevelsError) as caught:
        yield
    message = str(caught.value)
    assert time.perf_counter() - began < within_seconds
    assert "\n" not in message and len(message) < 1000
    assert [word for word in says if word not in message] == []


def npy(array: np.ndarray, **changed: object) -> bytes:
    """A .npy file; changed: entries of its header that say otherwise."""
    buffer = io.BytesIO()
    header = np.lib.format.header_data_from_array_1_0(array) | changed
    np.lib.format.write_array_header_1_0(buffer, header)
    return buffer.getvalue() + array.tobytes()


def archive(path: Path, how: int = zipfile.ZIP_STORED, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", how) as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)
    return path


@pytest.mark.parametrize(
    ("x", "says"),
    [
        (b"", "magic string"),
        (b"no array", "magic string"),
        (npy(X)[:-1], "promises 128 bytes, it holds 127"),
        (npy(X) + b"more", "promises 128 bytes, it holds 132"),
        (npy(X, shape=(2**40, 4)), "promises 35184372088832 bytes, it holds 128"),
        (npy(X, shape=(-4, -4)), "cannot be read"),
        (npy(X, shape=(0, 10**30)), "cannot be read"),
        (npy(X, shape=(10**12,), descr="<U0"), "cannot be read"),
        (npy(X, descr="|O"), "Object arrays"),
        (npy(X, descr="no type"), "cannot be read"),
        (b"\x93NUMPY\x03\x00" + npy(X)[8:], "format 3.0"),
        (b"\x93NUMPY\x01\x00\x08\x00((((((((" + bytes(128), "cannot be read"),
        (npy(X.astype(complex)), "X must be real"),
        (npy(X.astype("M8[s]")), "X must be real"),
        (npy(X, descr=[("a", "<f4"), ("b", "<f4")]), "X must be real"),
        (npy(np.array(1.0)), "X must be real"),
    ],
)
def test_a_member_that_is_no_plain_array_is_refused(x: bytes, says: str, tmp_path: Path) -> None:
    with refused("X", says):
        load_samples(archive(tmp_path / "a.npz", X=x, y=npy(Y)))


def test_arrays_in_fortran_order_and_other_byte_orders_are_read_as_they_are(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(4, 3, 2))
    np.savez(tmp_path / "a.npz", X=np.asfortranarray(x.astype(">f8")), y=Y.astype(">i2"))
    samples = load_samples(tmp_path / "a.npz")
    assert np.array_equal(samples.x, x.reshape(4, 6)) and samples.y.tolist() == [0, 1, 2, 3]
    np.savez_compressed(tmp_path / "b.npz", W1=np.asfortranarray(x[0].astype(">f4")))
    assert np.array_equal(load_networks(tmp_path / "b.npz").weights[0][0], x[0].astype(np.float32))
    np.savez(tmp_path / "c.npz", a=np.array(2.5), b=np.zeros((0, 3)))
    found = read_npz(tmp_path / "c.npz", ("a", "b"), NetworksError)
    assert found["a"].shape == () and found["a"] == 2.5 and found["b"].shape == (0, 3)


@pytest.mark.parametrize(("offset", "says"), [(6, "encrypted"), (8, "packed otherwise")])
def test_an_encrypted_or_oddly_packed_member_is_refused(offset: int, says: str, tmp_path: Path) -> None:
    whole = bytearray(archive(tmp_path / "a.npz", X=npy(X), y=npy(Y)).read_bytes())
    value = struct.pack("<H", 1 if offset == 6 else 14)
    for mark, at in ((b"PK\x03\x04", offset), (b"PK\x01\x02", offset + 2)):
        place = whole.find(mark) + at
        whole[place : place + 2] = value
    (tmp_path / "a.npz").write_bytes(whole)
    with refused("X", says, "numpy.savez"):
        load_samples(tmp_path / "a.npz")


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    with refused("unpacks"):
        _bomb(tmp_path / "bomb.npz")
        load_networks(tmp_path / "bomb.npz")


def _bomb(path: Path) -> None:
    """A member of FREE_BYTES and more, all zeros, whose sizes are true but whose content is not there."""
    archive(path, zipfile.ZIP_DEFLATED, W1=npy(np.zeros((2, 2))))
    whole = bytearray(path.read_bytes())
    place = whole.find(b"PK\x01\x02")
    whole[place + 24 : place + 28] = struct.pack("<I", FREE_BYTES + 1)
    path.write_bytes(whole)


def test_names_that_stand_twice_and_single_arrays_are_refused(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(tmp_path / "a.npz", "w") as file:
        file.writestr("X.npy", npy(X)), file.writestr("X.npy", npy(X))
    with refused("X stands twice"):
        npz_names(tmp_path / "a.npz", SamplesError)
    np.save(tmp_path / "b.npy", X)
    (tmp_path / "b.npz").write_bytes((tmp_path / "b.npy").read_bytes())
    with refused("a single array has no name"):
        load_networks(tmp_path / "b.npz")


def test_objects_beside_the_arrays_that_are_wanted_do_no_harm(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", X=X, y=Y, notes=np.array([{"a": 1}], dtype=object))
    assert len(load_samples(tmp_path / "a.npz")) == 4


def test_a_text_beyond_unicode_is_refused(tmp_path: Path) -> None:
    beyond = npy(np.array([0x110000, 97, 98, 99], np.uint32), descr="<U1")
    with refused("a.npz", "no text"):
        load_samples(archive(tmp_path / "a.npz", X=npy(X), y=beyond))


@pytest.mark.parametrize("load", LOADERS)
@pytest.mark.parametrize("what", ["folder", "pipe", "loop", "device", "socket", "nowhere"])
@pytest.mark.parametrize("suffix", [".npz", ".toml", ".txt"])
def test_what_is_no_file_is_refused_and_not_waited_for(
    load: Callable[[Path], object], what: str, suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's path is short
    path = Path(f"a{suffix}")
    match what:
        case "folder":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case "loop":
            path.symlink_to(path)
        case "device":
            path.symlink_to("/dev/zero")
        case "socket":
            with socket.socket(socket.AF_UNIX) as one:
                one.bind(str(path))
    with refused():
        load(path)


@pytest.mark.parametrize("load", LOADERS)
@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "a\0b.toml",
        "a\0b.npz",
        "a" * 5000,
        "a" * 5000 + ".toml",
        "a" * 5000 + ".csv",
        "x/" * 3000 + "a.npz",
        None,
        7,
    ],
)
def test_what_is_no_name_is_refused(load: Callable[[object], object], name: object) -> None:
    with refused():
        load(name)


@pytest.mark.parametrize("content", [b"1e-6\n2e-6\n", b"G (S)\n1e-6\n1,2\n", b"\0\1", b""])
def test_a_table_s_name_stays_in_its_line(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a\n\x1b[31mb.csv"
    path.write_bytes(content)
    try:
        said = " ".join(read_device(path)[1])
    except FewlevelsError as error:
        said = str(error)
    assert r"a\n\x1b[31mb.csv" in said and said.isprintable()


def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = archive(tmp_path / "a.npz", X=npy(X))
    path.chmod(0)

    def denied(*_: object) -> int:  # as any user but root meets it
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", denied)
    with refused("cannot read", "permission denied"):
        npz_names(path, SamplesError)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a = " + "[" * 5000 + "]" * 5000, "nested too deeply"),
        ("seed = 1" + "0" * 5000, "not valid TOML"),
        ("seed = 1" + "0" * 400, "seed must be at most 1.8e308"),
        ("[zones]\nlevels = [1, 1" + "0" * 400 + "]", "zones.levels must be at most"),
        ("seed = 1\nseed = 2", "not valid TOML"),
        ("a = '\0'", "not valid TOML"),
        ("seed = 1979-05-27", "seed: input should be a valid integer"),
        ("alpha = true", "alpha: input should be a valid number"),
        ("seed = 1" + "0" * 39, "seed: input should be less than"),
        ("hidden = -3", "hidden: "),
        ("hidden = 99999999999", "hidden: "),
        ("learning_rate = nan", "learning_rate: "),
        ("q_max = 1000000", "q_max: "),
        ("init = 'uniform:0,1e-50'", "init must differ from weight to weight in float32"),
        ("zones = 3", "zones: "),
        ("zones = {starts = ['\\u0000']}", "init must be"),
    ],
)
def test_a_configuration_that_cannot_be_is_refused(text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    path.write_text(text, encoding="utf-8")
    with refused(says):
        make_config(read_config(path), str(path))
    path.write_bytes(text.encode("utf-16"))
    with refused("not UTF-8 text"):
        read_toml(path, ConfigError)


def test_damaged_samples_of_a_study_are_told_and_not_believed(tmp_path: Path) -> None:
    good = {"X": npy(X), "y": npy(Y), "classes": npy(np.array(list("abcd")))}
    archive(tmp_path / "samples.npz", **good)
    assert Store(tmp_path).samples().classes == ("a", "b", "c", "d")
    for name, content in (("X", npy(X, shape=(2**40, 4))), ("classes", npy(np.array(1.0))), ("y", npy(X)), ("X", b"")):
        archive(tmp_path / "samples.npz", **{**good, name: content})
        with refused("samples.npz cannot be read", "put it back"):
            Store(tmp_path).samples()
    archive(tmp_path / "samples.npz", X=npy(X))
    with refused("holds no y"):
        Store(tmp_path).samples()


WHOLE: dict[str, bytes] = {}


def _whole(name: str) -> bytes:
    """A good file of each kind."""
    if not WHOLE:
        for how, save in (("stored.npz", np.savez), ("deflated.npz", np.savez_compressed)):
            buffer = io.BytesIO()
            save(buffer, X=X, y=np.array(["a", "b", "c", "d"]), W1=np.ones((4, 3)), W2=np.ones((3, 4)))  # type: ignore[operator]
            WHOLE[how] = buffer.getvalue()
        WHOLE["device.toml"] = (LIBRARY / f"{sorted(LIBRARY.glob('*.toml'))[0].stem}.toml").read_bytes()
        WHOLE["glyphs.txt"] = b"class A\n010\n111\nclass B\n000\n110\n"
        WHOLE["study.toml"] = b"dataset = 'digits5'\nseeds = 3\nalpha = 0.5\n[zones]\nmodels = 3\n"
    return WHOLE[name]


@given(data=st.data())
@pytest.mark.parametrize("name", ["stored.npz", "deflated.npz", "device.toml", "glyphs.txt", "study.toml"])
@QUICK
def test_a_file_with_a_few_bytes_changed_is_read_or_refused(name: str, data: st.DataObject, tmp_path: Path) -> None:
    whole = bytearray(_whole(name))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(whole) - 1))
        patch = data.draw(st.binary(min_size=0, max_size=4) | st.sampled_from([b"\xff" * 4, b"\x00" * 4, b"9" * 400]))
        whole[place : place + data.draw(st.integers(0, 4))] = patch
    _load_any(tmp_path / name, bytes(whole))


@given(content=st.binary(max_size=200))
@pytest.mark.parametrize("name", ["stored.npz", "device.toml", "glyphs.txt", "study.toml"])
@QUICK
def test_junk_is_read_or_refused(name: str, content: bytes, tmp_path: Path) -> None:
    _load_any(tmp_path / name, content)
    _load_any(tmp_path / name, _whole(name)[:100] + content)


def _load_any(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    loads = {".npz": (load_samples, load_networks), ".txt": (load_samples,), ".toml": (load_device,)}[path.suffix]
    if path.name == "study.toml":
        loads = (lambda path: make_config(read_config(path), str(path)),)
    for load in loads:
        with contextlib.suppress(FewlevelsError):
            load(path)
