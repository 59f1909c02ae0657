"""What is installed beside the programs does what it says: units, generator, alert agent, completion, manual pages."""
from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
CMIRRORCTL = os.environ.get("CMIRRORCTL") or str(PROJECT / "build/bin/cmirrorctl")
EVENTS = PROJECT / "adapters/log_sink/journal_sink.cpp"


class Sandbox(unittest.TestCase):
    """A folder of its own for each test, and programs that only note how they were called."""

    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.bin = self.folder / "bin"
        self.bin.mkdir()

    def need(self, program: str) -> None:
        self.assertIsNotNone(shutil.which(program), f"{program} is missing: scripts/setup installs it")

    def program(self, name: str, script: str) -> None:
        path = self.bin / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def run_script(self, *command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "PATH": f"{self.bin}:{os.environ['PATH']}", **environment}
        return subprocess.run([str(word) for word in command], env=env, capture_output=True, text=True, check=False)


class AlertAgent(Sandbox):
    """Pacemaker's alerts of fencing become the word that a node is gone."""

    def setUp(self) -> None:
        super().setUp()
        self.program("corosync-cmapctl", "printf 'nodelist.node.0.name (str) = alpha\\nnodelist.node.0.nodeid (u32) = 1\\n"
                                         "nodelist.node.1.nodeid (u32) = 7\\nnodelist.node.1.name (str) = beta\\n'")
        self.program("cmirrorctl", f"echo \"$@\" >>{self.folder}/calls")

    def alert(self, **fields: str) -> tuple[int, str]:
        given = {"kind": "fencing", "node": "beta", "rc": "0", "task": "st_notify_fence", "desc": "Operation reboot of beta", **fields}
        done = self.run_script(PROJECT / "pacemaker/cmirror-node-gone", **{f"CRM_alert_{key}": value for key, value in given.items()})
        calls = self.folder / "calls"
        return done.returncode, calls.read_text() if calls.exists() else ""

    def test_fenced_node_is_gone(self) -> None:
        self.assertEqual(self.alert(), (0, "node-gone 7\n"))

    def test_word_is_given_again_until_corosync_has_lost_the_node(self) -> None:
        self.program("sleep", f"echo slept >>{self.folder}/sleeps")
        self.program("cmirrorctl", f"echo \"$@\" >>{self.folder}/calls; [ $(wc -l <{self.folder}/calls) -ge 3 ]")
        self.assertEqual(self.alert(), (0, "node-gone 7\n" * 3))
        self.assertEqual((self.folder / "sleeps").read_text(), "slept\n" * 2)

    def test_word_that_nobody_takes_is_an_error(self) -> None:
        self.program("sleep", "")
        for code, calls in ((1, 20), (3, 1)):
            (self.folder / "calls").unlink(missing_ok=True)
            self.program("cmirrorctl", f"echo \"$@\" >>{self.folder}/calls; exit {code}")
            self.assertEqual(self.alert(), (code, "node-gone 7\n" * calls))

    def test_what_proves_nothing_is_ignored(self) -> None:
        for fields in ({"kind": "node"}, {"rc": "1"}, {"task": "on"}, {"desc": "Operation on of beta"}, {"task": "monitor"}):
            self.assertEqual(self.alert(**fields), (0, ""), fields)

    def test_unknown_node_is_an_error(self) -> None:
        self.assertEqual(self.alert(node="gamma"), (1, ""))


class Generator(Sandbox):
    """Mirrors of the tab become units."""

    def generate(self, tab: str, complaint: str = "") -> Path:
        self.need("systemd-escape")
        path, out = self.folder / "tab", self.folder / "out"
        path.write_text(tab)
        out.mkdir(exist_ok=True)
        done = self.run_script(PROJECT / "systemd/cmirror-generator", out, out, out, CMIRRORTAB=str(path))
        self.assertEqual((done.returncode, done.stderr.replace(str(path), "TAB")), (0, complaint))
        return out

    def test_mirror_waits_for_its_devices(self) -> None:
        out = self.generate("# one\n\nmy-data /dev/disk/by-id/a,/dev/sdb /dev/sdc size=1M,region-size=4K\n"
                            "later /dev/sdd,/dev/sde none size=1M,region-size=4K,noauto\n")
        self.assertEqual(sorted(path.name for path in (out / "remote-fs-pre.target.wants").iterdir()), [r"cmirror@my\x2ddata.service"])
        lines = (out / r"cmirror@my\x2ddata.service.d/devices.conf").read_text().splitlines()
        self.assertEqual([line for line in lines if line.startswith("After=")],
                         [r"After=dev-disk-by\x2did-a.device", "After=dev-sdb.device", "After=dev-sdc.device"])

    def test_log_in_memory_is_no_device(self) -> None:
        out = self.generate("x /dev/sda,/dev/sdb none size=1M,region-size=4K\n")
        self.assertNotIn("none", (out / "cmirror@x.service.d/devices.conf").read_text())

    def test_line_that_is_wrong_does_not_hinder_the_others(self) -> None:
        out = self.generate("broken\nalso /dev/sda none size=1M\nx /dev/sda,/dev/sdb none size=1M,region-size=4K",
                            "".join(f"cmirror-generator: TAB: the line of {name} makes no sense: see cmirrortab(5)\n" for name in ("broken", "also")))
        self.assertEqual([path.name for path in (out / "remote-fs-pre.target.wants").iterdir()], ["cmirror@x.service"])

    def test_units_are_well_formed(self) -> None:
        self.need("systemd-analyze")
        programs = self.folder / "root/usr/sbin"
        programs.mkdir(parents=True)
        for name in ("cmirrord", "cmirrorctl"):
            shutil.copy("/bin/true", programs / name)
        units = self.folder / "root/etc/systemd/system"
        units.mkdir(parents=True)
        for unit in (PROJECT / "systemd").glob("*.service"):
            shutil.copy(unit, units / unit.name.replace("@", "@x"))
        done = self.run_script("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", f"--root={self.folder}/root", *units.iterdir())
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_without_a_tab_there_is_nothing(self) -> None:
        out = self.folder / "none"
        done = self.run_script(PROJECT / "systemd/cmirror-generator", out, CMIRRORTAB=str(self.folder / "absent"))
        self.assertEqual((done.returncode, out.exists()), (0, False))


class Unit(Sandbox):
    """The daemon's unit."""

    UNIT = PROJECT / "systemd/lvm2-cmirrord.service"

    def test_exposure_is_at_most_3(self) -> None:
        self.need("systemd-analyze")
        done = self.run_script("systemd-analyze", "security", "--offline=true", "--threshold=30", self.UNIT)
        self.assertEqual(done.returncode, 0, done.stdout[-2000:] + done.stderr)

    def test_says_what_the_daemon_needs(self) -> None:
        lines = self.UNIT.read_text().splitlines()
        for line in ("Type=notify", "OOMScoreAdjust=-1000", "SendSIGKILL=no", "Restart=on-failure", "RuntimeDirectoryPreserve=yes",
                     "Before=remote-fs-pre.target", "Alias=cmirrord.service", "ProtectSystem=strict", "LimitMEMLOCK=infinity"):
            self.assertIn(line, lines)


class Manual(Sandbox):
    """The manual pages."""

    def pages(self) -> list[Path]:
        pages = sorted((PROJECT / "man").glob("*.scd"))
        self.assertEqual(len(pages), 4)
        return pages

    def test_pages_are_well_formed(self) -> None:
        self.need("scdoc")
        self.need("mandoc")
        for page in self.pages():
            made = subprocess.run(["scdoc"], input=page.read_bytes(), capture_output=True, check=False)
            self.assertEqual(made.returncode, 0, made.stderr)
            linted = subprocess.run(["mandoc", "-T", "lint", "-W", "error"], input=made.stdout, capture_output=True, check=False)
            self.assertEqual((linted.returncode, linted.stdout), (0, b""), page.name)

    def test_message_ids_are_those_of_the_program(self) -> None:
        ids = r"\b[0-9a-f]{32}\b"
        self.assertEqual(sorted(re.findall(ids, (PROJECT / "man/cmirrord.8.scd").read_text())), sorted(re.findall(ids, EVENTS.read_text())))


class Interface(Sandbox):
    """What cmirrorctl takes, its page tells and bash offers."""

    def options_of(self, *command: str) -> set[str]:
        done = subprocess.run([CMIRRORCTL, *command, "--help"], capture_output=True, text=True, check=True)
        return set(re.findall(r"^ +(?:-\w,)?(--[a-z-]+)", done.stdout, re.MULTILINE)) - {"--help"}

    def commands(self) -> list[str]:
        text = subprocess.run([CMIRRORCTL, "--help"], capture_output=True, text=True, check=True).stdout
        return re.findall(r"^  ([a-z-]+) ", text[text.index("Subcommands:"):], re.MULTILINE)

    def test_every_command_and_option_is_in_the_page_and_in_the_completion(self) -> None:
        page = (PROJECT / "man/cmirrorctl.8.scd").read_text()
        completion = (PROJECT / "completions/cmirrorctl").read_text()
        self.assertEqual(len(self.commands()), 12)
        for command in self.commands():
            entry = re.search(rf"^\*{command}\*.*?(?=\n\n\*|\n\n#)", page, re.MULTILINE | re.DOTALL)
            assert entry is not None, command
            for option in self.options_of(command):
                short = "-v" if option == "--verbose" else option
                self.assertIn(f"*{short}*", entry[0], command)
                self.assertIn(option, completion, command)
        for option in self.options_of() - {"--version"}:
            self.assertIn(option, page)
            self.assertIn(option, completion)


class Completion(Sandbox):
    """What bash offers behind cmirrorctl."""

    def offers(self, *words: str) -> set[str]:
        tab = self.folder / "tab"
        tab.write_text("# no name\ndata /dev/a,/dev/b none x\nbackup /dev/a,/dev/b none x\n")
        script = ("source /usr/share/bash-completion/bash_completion; source completions/cmirrorctl;"
                  " COMP_WORDS=(cmirrorctl \"$@\"); COMP_CWORD=$#; COMP_LINE=\"cmirrorctl $*\"; COMP_POINT=${#COMP_LINE};"
                  " _cmirrorctl; printf '%s\\n' \"${COMPREPLY[@]}\"")
        done = subprocess.run(["bash", "-c", script, "bash", *words], cwd=PROJECT, capture_output=True, text=True, check=False,
                              env={**os.environ, "CMIRRORTAB": str(tab)})
        self.assertEqual(done.stderr, "")
        return set(done.stdout.split())

    def test_commands_options_and_mirrors(self) -> None:
        self.assertEqual(self.offers("re"), {"remove", "refresh", "replace-leg"})
        self.assertIn("--verbose", self.offers("status", "--"))
        self.assertEqual(self.offers("activate", ""), {"data", "backup"})
        self.assertEqual(self.offers("--json", "--tab", "/x", "remove", "d"), {"data"})
        self.assertEqual(self.offers("activate", "data", ""), set())

    def test_legs_of_the_mirror_to_be_replaced(self) -> None:
        self.assertEqual(self.offers("replace-leg", "data", ""), {"/dev/a", "/dev/b"})
        self.assertEqual(self.offers("replace-leg", "data", "/dev/a", "/dev/nul"), {"/dev/null"})


if __name__ == "__main__":
    unittest.main()
