from __future__ import annotations

import struct

import pytest

from infra.errors import UserError
from infra.lab.saveimage import extract_stream, unfinished_name, write_save_image

pytestmark = pytest.mark.unit

STREAM = b"QEVM" + bytes(range(256)) * 5000


def test_a_stream_comes_out_as_it_went_in(tmp_path):
    stream, saved, again = tmp_path / "stream", tmp_path / "m1.save", tmp_path / "again"
    stream.write_bytes(STREAM)
    write_save_image(saved, "<domain/>", stream)
    extract_stream(saved, again)
    assert again.read_bytes() == STREAM


def test_the_header_is_libvirts(tmp_path):
    stream, saved = tmp_path / "stream", tmp_path / "m1.save"
    stream.write_bytes(STREAM)
    write_save_image(saved, "<domain>\u00e9</domain>", stream)
    data = saved.read_bytes()
    magic, version, length, running, compressed, cookie = struct.unpack_from("=16s5I", data)
    assert (magic, version, running, compressed, cookie) == (b"LibvirtQemudSave", 2, 1, 0, 0)
    assert data[92 : 92 + length].rstrip(b"\0").decode() == "<domain>\u00e9</domain>"
    assert data[92 + length :] == STREAM


def test_a_long_definition_gets_the_room_it_needs(tmp_path):
    stream, saved, again = tmp_path / "stream", tmp_path / "m1.save", tmp_path / "again"
    stream.write_bytes(STREAM)
    write_save_image(saved, "x" * 65536, stream)  # one more byte than fits with its end
    extract_stream(saved, again)
    assert again.read_bytes() == STREAM


def test_another_format_is_refused_with_what_to_do(tmp_path):
    saved = tmp_path / "m1.save"
    saved.write_bytes(struct.pack("=16s5I14I", b"LibvirtQemudSave", 3, 0, 1, 0, 0, *[0] * 14))
    with pytest.raises(UserError, match=r"(?s)version 3.*start: boot"):
        extract_stream(saved, tmp_path / "stream")


def test_what_could_not_be_finished_is_not_there(tmp_path):
    saved = tmp_path / "m1.save"
    with pytest.raises(FileNotFoundError):
        write_save_image(saved, "<domain/>", tmp_path / "missing")
    assert not saved.exists()
    assert not unfinished_name(saved).exists()
