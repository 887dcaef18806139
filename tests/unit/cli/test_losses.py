"""What a run destroys is said in words and asked for; a damaged disk is named and its machine made anew."""

from __future__ import annotations

import json
import subprocess

import pytest

from infra import paths
from infra.cli import replace, up
from infra.errors import UserError
from infra.lab import disks
from infra.pipeline import execution, stacks
from infra.pipeline.progress import Progress
from infra.stacks.losses import Watch, describe_losses
from infra.stacks.stack_runs import StackRun

pytestmark = pytest.mark.unit

URN = "urn:pulumi:lab::gigasite::gigasite:site:Site$gigasite:standin:Machine::lab-storage"


def event(op, kind="gigasite:standin:Machine", urn=URN, **more):
    return json.dumps({"resourcePreEvent": {"metadata": {"op": op, "urn": urn, "type": kind, **more}}}) + "\n"


@pytest.mark.parametrize(
    ("events", "lines"),
    [
        ([event("same"), event("update", diffs=["memory_mib"]), event("create")], []),
        ([event("delete")], ["lab-storage is removed, with all data on its disk"]),
        (
            [event("delete", kind="gigasite:storage:Bucket")],
            ["lab-storage is removed, with all objects in it"],
        ),
        ([event("replace", keys=["id"])], ["lab-storage is made anew, and all data on its disk is lost"]),
        (
            [
                event("delete-replaced", keys=["disk_gib"]),
                event("replace", keys=["disk_gib"]),
                event("create-replacement", keys=["disk_gib"]),
            ],
            ["lab-storage is made anew, and all data on its disk is lost (disk_gib changes)"],
        ),
        ([event("replace", kind="gigasite:compute:Rack"), event("delete", kind="gigasite:grid:Feed")], []),
    ],
)
def test_what_destroys_data_is_read_from_the_events(tmp_path, events, lines):
    log = tmp_path / "events"
    log.write_text(event("delete"))  # of an earlier run
    watch = Watch(log)
    with log.open("a") as file:
        file.writelines([json.dumps({"preludeEvent": {}}) + "\n", *events])
    assert [str(loss) for loss in watch.losses()] == lines
    assert describe_losses(watch.losses()) == (
        ["destroys data of 1 resource:", *(f"  {line}" for line in lines)] if lines else []
    )


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run on the lab whose preview finds what it is told to."""
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    found = {"changes": {"replace": 1}, "events": [event("replace", keys=["disk_gib"])]}

    def operate(_run, _operation, stack, *, shown, **_):
        shown.event_log.write_text("".join(found["events"]))
        return StackRun(stack, "test", 0, found["changes"])

    monkeypatch.setattr(stacks, "_operate", operate)
    monkeypatch.setattr(stacks, "stacks", lambda *_: ("lab",))
    monkeypatch.setattr(stacks.grid, "gates", lambda _: ())

    class Declared:
        stand_ins = object()

    def make(**given):
        with Progress([("preview", "Preview")]) as progress:
            options = {"yes": False, "dry_run": False, "simulate": False} | given
            one = execution.Run(
                site="lab", engine="embedded", limit=None, progress=progress,
                record=execution.new_record("lab", ["gigasite", "up", "lab"]), **options,
            )  # fmt: skip
            one.declared = Declared()
            return stacks.preview(one)

    make.found = found
    return make


def test_the_lab_asks_too_before_it_destroys_data(run, capsys):
    with pytest.raises(
        UserError, match="destroying the data of lab-storage needs a yes, give --yes"
    ) as raised:
        run()
    assert "Nothing was changed." in str(raised.value)
    assert (
        "lab-storage is made anew, and all data on its disk is lost (disk_gib changes)"
        in capsys.readouterr().out
    )


@pytest.mark.parametrize("given", [{"yes": True}, {"dry_run": True}])
def test_with_a_yes_and_in_a_dry_run_it_is_said_and_not_asked(run, capsys, given):
    assert "1 machines lose their data" in run(**given).summary
    assert "lab-storage is made anew" in capsys.readouterr().out


def test_the_lab_does_not_ask_for_other_changes(run):
    run.found |= {"changes": {"update": 3}, "events": [event("update")]}
    assert run().changes == 3


def test_making_without_the_preview_is_not_possible():
    assert "preview" in up._select_steps(["up"], dry_run=False)
    assert "preview" not in up._select_steps(["configure"], dry_run=False)


def overlay(folder, damage=None):
    base, disk = folder / "base.qcow2", folder / "disk.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", base, "8M"], check=True)
    disks.make_overlay(disk, base, 1)
    if damage:
        with disk.open("r+b") as file:
            damage(file)
    return folder


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda file: file.write(b"\0" * 512), id="header"),
        pytest.param(lambda file: file.truncate(100), id="cut"),
        pytest.param(lambda file: file.truncate(0), id="empty"),
        pytest.param(lambda file: (file.seek(0x30), file.write(b"\xff" * 8)), id="tables"),
    ],
)
def test_a_damaged_disk_is_found(tmp_path, damage):
    assert disks.damage(overlay(tmp_path, damage))


def test_a_disk_in_order_and_one_that_is_not_there_are_no_damage(tmp_path):
    assert disks.damage(tmp_path) is None
    assert disks.damage(overlay(tmp_path)) is None


def test_a_base_that_is_gone_is_damage(tmp_path):
    overlay(tmp_path)
    (tmp_path / "base.qcow2").unlink()
    assert "base.qcow2" in disks.damage(tmp_path)


def test_replacing_names_what_is_no_stand_in(tmp_path, monkeypatch):
    (tmp_path / "inventories").symlink_to(paths.ROOT / "inventories")
    (tmp_path / ".gigasite" / "lab" / "machines").mkdir(parents=True)
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    assert replace._site_of(["lab-storage"]) == "lab"
    with pytest.raises(UserError, match="no stand-in lab-storag was made here"):
        replace._site_of(["lab-storage", "lab-storag"])
