"""Programs that roles bring to machines, run here: accounts that come and go, exports that have an end."""

from __future__ import annotations

import shutil
import stat
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from infra.render import render
from infra.render.site_facts import gid_of
from tests.unit.roles.quota_tools import lay_out

pytestmark = pytest.mark.unit

SITE = {"site": {"name": "lab"}, "machine": {}}


def program(folder, name):
    path = folder / name
    path.write_text(render(f"usr/local/lib/gigasite/{name}.j2", SITE))
    return path


@pytest.fixture
def machine(tmp_path):
    """A copy of this machine's accounts, in a mount namespace where it is /etc."""
    etc = tmp_path / "etc"
    etc.mkdir()
    for name in ("login.defs", "nsswitch.conf", "pam.d", "security", "ld.so.cache"):
        source = Path("/etc") / name
        if source.is_dir():
            shutil.copytree(source, etc / name)
        elif source.exists():
            shutil.copy(source, etc / name)
    (etc / "passwd").write_text(
        "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n"
        "local:x:10009:10009:put here by hand:/home/local:/bin/bash\n"
    )
    (etc / "group").write_text("root:x:0:\nnogroup:x:65534:\nlocal:x:10009:\nteam:x:150000:local\n")
    for name in ("shadow", "gshadow"):
        (etc / name).write_text("")
    accounts = program(tmp_path, "accounts.py")

    def apply(users, groups):
        declared = SimpleNamespace(
            users=[{"name": name, "uid": uid} for name, uid in users.items()],
            groups=[{"name": n, "gid": gid_of(n), "members": who} for n, who in groups.items()],
        )
        known = {**SITE, "site": {"name": "lab", **vars(declared)}}
        (etc / "gigasite.conf").write_text(render("etc/sysusers.d/gigasite.conf.j2", known))
        words = [
            "unshare",
            "--mount",
            "sh",
            "-c",
            'mount --bind "$1" /etc && exec "$2" "$3" /etc/gigasite.conf',
        ]
        done = subprocess.run(
            [*words, "-", str(etc), sys.executable, str(accounts)],
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stderr

    def read(name):
        lines = [line.split(":") for line in (etc / name).read_text().splitlines()]
        return {words[0]: (int(words[2]), words[3]) for words in lines}

    return SimpleNamespace(apply=apply, users=lambda: read("passwd"), groups=lambda: read("group"))


def test_who_is_declared_no_more_loses_account_and_group(machine):
    assert machine.apply({"ada": 10001, "grace": 10002}, {"research": ("ada", "grace")}) == (0, "")
    assert {"ada", "grace"} < set(machine.users())
    assert machine.groups()["research"] == (gid_of("research"), "ada,grace")
    assert machine.apply({"grace": 10002}, {"research": ("grace",)}) == (0, "")
    assert "ada" not in machine.users()
    assert "ada" not in machine.groups()
    assert machine.groups()["research"][1] == "grace"
    assert machine.apply({"grace": 10002}, {}) == (0, "")
    assert "research" not in machine.groups()


def test_what_gigasite_did_not_make_stays(machine):
    assert machine.apply({}, {}) == (0, "")
    assert machine.users()["local"][0] == 10009
    assert machine.groups()["team"] == (150000, "local")
    status, said = machine.apply({"local": 10010}, {})
    assert status == 1
    assert "not gigasite's, and with another number than declared: local" in said
    assert machine.users()["local"][0] == 10009


def test_a_number_passes_from_one_to_another(machine):
    assert machine.apply({"ada": 10001}, {}) == (0, "")
    assert machine.apply({"grace": 10001}, {}) == (0, "")
    assert "ada" not in machine.users()
    assert machine.users()["grace"][0] == 10001


def test_a_member_of_a_group_that_left_it_is_taken_out(machine):
    assert machine.apply({"ada": 10001}, {"research": ("ada",)}) == (0, "")
    assert machine.apply({"ada": 10001}, {"other": ("ada",), "research": ()}) == (0, "")
    assert machine.groups()["research"][1] == ""
    assert machine.groups()["other"][1] == "ada"


@pytest.fixture
def exports(tmp_path):
    """The program that makes exports' file systems, with a folder and an image of its own."""
    script, folder, image = (
        program(tmp_path, "exports.sh"),
        tmp_path / "shared",
        tmp_path / "images" / "shared.ext4",
    )
    folder.mkdir()

    def run(size):
        (tmp_path / "list").write_text(f"# a comment\n{folder} {image} {size}\n")
        done = subprocess.run(
            ["sh", str(script), str(tmp_path / "list")], capture_output=True, text=True, check=False
        )
        return done.returncode, done.stderr

    return SimpleNamespace(run=run, folder=folder, image=image)


def of(image, field):
    out = subprocess.run(["dumpe2fs", "-h", str(image)], capture_output=True, text=True, check=True).stdout
    return next(int(line.split()[-1]) for line in out.splitlines() if line.startswith(f"{field}:"))


def test_an_export_is_as_large_as_declared_and_grows(exports):
    assert exports.run(16 << 20) == (0, "")
    assert of(exports.image, "Block count") * of(exports.image, "Block size") == 16 << 20
    assert exports.image.stat().st_blocks * 512 >= 16 << 20, "its room is taken at once"
    mode = subprocess.run(
        ["debugfs", "-R", "stat <2>", str(exports.image)], capture_output=True, text=True, check=True
    ).stdout
    assert "Mode:  01777" in mode
    assert exports.run(16 << 20) == (0, "")
    subprocess.run(
        ["debugfs", "-w", "-R", f"write {__file__} kept", str(exports.image)], check=True, capture_output=True
    )
    assert exports.run(32 << 20) == (0, "")
    assert of(exports.image, "Block count") * of(exports.image, "Block size") == 32 << 20
    kept = subprocess.run(
        ["debugfs", "-R", "cat kept", str(exports.image)], capture_output=True, text=True, check=True
    ).stdout
    assert kept == Path(__file__).read_text()


def test_an_export_begins_to_count_only_while_nobody_uses_it(exports):
    assert exports.run(16 << 20) == (0, "")
    counted = exports.folder.parent / "counted"
    counted.write_text(f"{exports.folder} {exports.image} {16 << 20} quotas\n")
    script = exports.folder.parent / "exports.sh"
    text = 'mount -o loop "$1" "$2" || exit 9; sh "$3" "$4"; echo "said $?"; umount "$2"; sh "$3" "$4"'
    words = ["unshare", "--mount", "sh", "-c", text, "-", exports.image, exports.folder, script, counted]
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "said 1" in done.stdout
    assert "is in use and counts nobody's files yet" in done.stderr
    head = subprocess.run(
        ["dumpe2fs", "-h", exports.image], capture_output=True, text=True, check=True
    ).stdout
    assert "usrquota,grpquota,prjquota" in head
    assert " project" in head


def test_an_export_is_never_made_smaller(exports):
    assert exports.run(32 << 20) == (0, "")
    before = exports.image.read_bytes()
    status, said = exports.run(16 << 20)
    assert status == 1
    assert f"{exports.folder} has {32 << 20} bytes, and {16 << 20} are declared" in said
    assert exports.image.read_bytes() == before


def test_files_that_are_there_are_not_hidden(exports):
    (exports.folder / "thesis").write_text("years of work")
    status, said = exports.run(16 << 20)
    assert status == 1
    assert "holds files and has no limit yet" in said
    assert not exports.image.exists()


def test_an_export_without_room_is_an_error_and_leaves_nothing(exports):
    status, said = exports.run(1 << 60)
    assert status == 1
    assert "no room for" in said
    assert list(exports.image.parent.iterdir()) == []


def test_a_mounted_export_refuses_what_is_more_than_its_size_and_grows(exports):
    """With the kernel's own loop device, as its mount unit has it."""
    assert exports.run(16 << 20) == (0, "")
    size = exports.folder.parent / "size"
    size.write_text(f"{exports.folder} {exports.image} {32 << 20}\n")
    script = exports.folder.parent / "exports.sh"
    text = (
        'mount -o loop,noatime,nodev,nosuid "$1" "$2" || exit 9; '
        'dd if=/dev/zero of="$2/big" bs=1M count=24 2>&1; stat --format %s "$2/big"; umount "$2"; '
        # while it is mounted, growing needs CAP_SYS_RESOURCE, which root of a container may not have
        'sh "$3" "$4" || exit 8; mount -o loop "$1" "$2" || exit 7; '
        'dd if=/dev/zero of="$2/big" bs=1M count=24 2>&1; stat --format %s "$2/big"; umount "$2"'
    )
    words = ["unshare", "--mount", "sh", "-c", text, "-", exports.image, exports.folder, script, size]
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("No space left on device") == 1
    small, large = (int(line) for line in done.stdout.splitlines() if line.isdigit())
    assert small < 16 << 20
    assert large == 24 << 20


@pytest.fixture
def command_line(tmp_path):
    """The program over settings of a tray, its kernel's command line, and a note of GRUB's own program."""
    (tmp_path / "bin").mkdir()
    grub = tmp_path / "bin" / "update-grub"
    grub.write_text(f"#!/bin/sh\necho made >>{tmp_path / 'grub'}\n")
    grub.chmod(0o755)
    settings = tmp_path / "60-gigasite.cfg"
    source = render("usr/local/lib/gigasite/command_line.j2", SITE)
    program = tmp_path / "command_line"
    for path, name in (
        ("/etc/default/grub.d/60-gigasite.cfg", settings.name), ("/proc/cmdline", "cmdline"),
        ("/run/reboot-required", "reboot-required"),
    ):  # fmt: skip
        source = source.replace(path, str(tmp_path / name))
    program.write_text(source)

    def run(verb, declared, started):
        settings.write_text(
            render("etc/default/grub.d/60-gigasite.cfg.j2", {**SITE, "kernel_command_line": declared})
        )
        (tmp_path / "cmdline").write_text(f"root=/dev/vda rw{started} quiet\n")
        done = subprocess.run(
            ["sh", program, verb], env={"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin"}, capture_output=True,
            text=True, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr

    return SimpleNamespace(
        run=run, asked=tmp_path / "reboot-required", made=lambda: (tmp_path / "grub").read_text().split()
    )


GIVEN = " gigasite.words=begin a=1 b='$x' gigasite.words=end"


@pytest.mark.parametrize(
    ("declared", "started", "asked"),
    [
        ([], "", False),
        (["a=1", "b='$x'"], GIVEN, False),
        (["a=1", "b='$x'"], "", True),
        (["a=1"], GIVEN, True),
        ([], GIVEN, True),
        (["*", "$(touch no)"], "", True),
    ],
)
def test_reboot_is_asked_for_where_the_kernel_runs_without_the_declared_words(
    command_line, declared, started, asked
):
    code, said = command_line.run("request", declared, started)
    assert (code, said) == (0, "")
    assert command_line.asked.exists() == asked
    assert command_line.made() == ["made"], "GRUB has to have the words in any case"


def test_start_without_the_declared_words_fails_and_hands_them_to_grub_again(command_line):
    code, said = command_line.run("prove", ["a=1"], "")
    assert code == 1
    assert "the kernel was started with '' and not with 'gigasite.words=begin a=1 gigasite.words=end'" in said
    assert command_line.made() == ["made"]
    assert command_line.asked.exists()
    # the reboot that is to come is waited for, and its proof holds
    assert command_line.run("prove", ["a=1"], "") == (0, "the kernel parameters wait for a reboot\n")
    command_line.asked.unlink()
    assert command_line.run("prove", ["a=1"], " gigasite.words=begin a=1 gigasite.words=end") == (0, "")


@pytest.fixture
def quotas(tmp_path):
    """The program that sets quotas, over an export of its own."""
    script, export, tables = program(tmp_path, "quotas.py"), tmp_path / "shared", tmp_path / "tables"
    export.mkdir()
    lay_out(tmp_path / "bin", tables)
    (tmp_path / "exports").write_text(f"{export} /images/shared.ext4 {1 << 30}\n")

    def run(*declared):
        (tables / "log").write_text("")
        lines = [line.replace("EXPORT", str(export)) for line in declared]
        (tmp_path / "quotas").write_text("".join(f"{line}\n" for line in lines))
        subprocess.run(
            [sys.executable, script, tmp_path / "quotas", tmp_path / "exports"],
            env={"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin"}, check=True,
        )  # fmt: skip
        return (tables / "log").read_text().replace(f" {export}", "").splitlines()

    return SimpleNamespace(run=run, export=export, tables=tables)


def test_quotas_come_change_and_go(quotas):
    grace, folder = "EXPORT user grace 0 1024 0 -", "EXPORT project 77 512 2048 9 EXPORT/scratch"
    assert quotas.run(grace, folder) == ["set -u grace 0 1024 0 0", "set -P 77 512 2048 0 9"]
    scratch = quotas.export / "scratch"
    assert stat.S_IMODE(scratch.stat().st_mode) == 0o1777
    assert quotas.run(grace, folder) == [], "nothing is set twice"
    assert quotas.run(grace.replace("1024", "4096")) == ["set -u grace 0 4096 0 0", "set -P 77 0 0 0 0"]
    assert scratch.is_dir(), "what is no longer limited stays"
    assert quotas.run() == ["set -u grace 0 0 0 0"]


def test_a_quota_is_lifted_only_where_it_is_not_declared(quotas):
    quotas.run("EXPORT user grace 0 1024 0 -", "EXPORT group grace 0 1024 0 -")
    assert quotas.run("EXPORT group grace 0 1024 0 -") == ["set -u grace 0 0 0 0"]


def test_an_export_that_never_had_a_quota_is_left_alone(quotas):
    (quotas.tables / "no-quotas").touch()
    assert quotas.run() == []
