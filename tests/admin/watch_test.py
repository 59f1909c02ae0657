"""cmirrorctl on a terminal, against a daemon that only tells what the test wants."""
from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import tempfile
import termios
import threading
import time
import unittest
from pathlib import Path

CMIRRORCTL = os.environ.get("CMIRRORCTL") or str(Path(__file__).resolve().parents[2] / "build/bin/cmirrorctl")
ENTER, LEAVE = "\x1b[?1049h", "\x1b[?1049l"


def snapshot(in_sync: int, region_map: str) -> dict:
    """What a daemon with one mirror of ten regions says."""
    return {"version": 1, "daemon": {"version": "1.0.0", "node": 1},
            "components": [{"name": "cluster", "connected": True, "quorum": True, "nodes": 1}],
            "logs": [{"uuid": "CMIRROR-x", "state": "active", "type": "clustered-core", "region-size-sectors": 1024, "region-count": 10,
                      "sync-count": in_sync, "quorate": True, "region-map": region_map,
                      "members": [{"node": 1, "process": 7, "valid": True, "server": True}]}]}


class FakeDaemon:
    """Answers a request on a control socket with what `answers` has for its kind, else with `answer`."""

    def __init__(self, folder: str):
        self.path = f"{folder}/control.sock"
        self.answer: dict = snapshot(10, "c" * 10)
        self.answers: dict[str, dict] = {}
        self.requests: list[dict] = []
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(self.path)
        self._socket.listen(8)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                request = json.loads(connection.makefile().readline())
                self.requests.append(request)
                connection.sendall(json.dumps(self.answers.get(request["request"], self.answer)).encode())

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


class Terminal:
    """A program on a pseudo-terminal."""

    def __init__(self, *command: str, columns: int = 80, rows: int = 24, **environment: str):
        env = {key: value for key, value in os.environ.items() if key != "NO_COLOR"} | {"TERM": "xterm"} | environment
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            os.execvpe(command[0], command, env)
        self.text = ""

    def read_until(self, pattern: str, timeout: float = 20) -> str:
        deadline = time.monotonic() + timeout
        while not re.search(pattern, self.text):
            ready = select.select([self.master], [], [], max(0, deadline - time.monotonic()))[0]
            if not ready:
                raise AssertionError(f"{pattern!r} did not come: {self.text!r}")
            try:
                self.text += os.read(self.master, 65536).decode()
            except OSError:  # the program has ended
                if re.search(pattern, self.text):
                    break
                raise AssertionError(f"{pattern!r} did not come before the end: {self.text!r}") from None
        return self.text

    def type(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def end(self) -> int:
        """Read what is left; the exit code."""
        try:
            while data := os.read(self.master, 65536).decode():
                self.text += data
        except OSError:
            pass
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self.master)
        return code


class WatchTest(unittest.TestCase):
    def setUp(self) -> None:
        self.daemon = FakeDaemon(self.enterContext(tempfile.TemporaryDirectory()))
        self.addCleanup(self.daemon.close)

    def watch(self, *more: str, **environment: str) -> Terminal:
        return Terminal(CMIRRORCTL, "--socket", self.daemon.path, "watch", "--interval", "0.1", *more, **environment)

    def test_follows_the_daemon_until_q(self) -> None:
        self.daemon.answer = snapshot(4, "cccdroooof")
        terminal = self.watch(NO_COLOR="1")
        text = terminal.read_until(r"clean +d dirty")
        self.assertTrue(text.startswith(ENTER), text)
        self.assertIn("[##", text)
        self.assertRegex(text, r"\.{3}dR----F")
        self.daemon.answer = snapshot(10, "c" * 10)
        terminal.read_until(r"#\] 100\.0%[\s\S]*  \.{10}\x1b\[K")
        terminal.type("q")
        self.assertEqual(terminal.end(), 0)
        self.assertTrue(terminal.text.endswith(LEAVE), terminal.text[-80:])
        self.assertNotIn("\x1b[3", re.sub(r"\x1b\[\?\d+[hl]", "", terminal.text))

    def test_other_keys_do_not_end_it_but_ctrl_c_does(self) -> None:
        terminal = self.watch()
        terminal.read_until(r"\x1b\[32m")
        seen = len(self.daemon.requests)
        terminal.type("x")
        while len(self.daemon.requests) < seen + 2:
            terminal.read_until("clean")
        terminal.type("\x03")
        self.assertEqual(terminal.end(), 0)
        self.assertTrue(terminal.text.endswith(LEAVE))

    def test_says_that_the_daemon_went_away(self) -> None:
        terminal = self.watch()
        terminal.read_until("clean")
        os.unlink(self.daemon.path)
        terminal.read_until("does not run here")
        terminal.type("q")
        self.assertEqual(terminal.end(), 3)

    def test_no_line_is_wider_than_the_map_needs(self) -> None:
        self.daemon.answer = snapshot(4, "o" * 128)
        terminal = Terminal(CMIRRORCTL, "--socket", self.daemon.path, "watch", columns=40, NO_COLOR="1")
        text = terminal.read_until("clean")
        os.kill(terminal.pid, signal.SIGTERM)
        self.assertEqual(terminal.end(), 1)
        longest = max(len(line) for line in re.findall(r"  ([-]+)\x1b", text))
        self.assertEqual(longest, 38)


    def test_small_terminal_shows_what_fits_and_follows_its_size(self) -> None:
        self.daemon.answer = snapshot(4, "cccdroooof")
        terminal = self.watch(NO_COLOR="1")
        terminal.read_until("out of sync  R")
        fcntl.ioctl(terminal.master, termios.TIOCSWINSZ, struct.pack("HHHH", 5, 30, 0, 0))
        text = terminal.read_until(r"\x1b\[H(?:[^\n]*\n){4}\.\.\. \d+ more lines")
        screen = text[text.rindex("\x1b[H", 0, text.index(" more lines")):text.index(" more lines")]
        self.assertLessEqual(max(len(line) for line in re.sub(r"\x1b\[[A-Z]", "", screen).splitlines()), 30)
        terminal.type("q")
        self.assertEqual(terminal.end(), 1)

    def test_paused_it_leaves_the_terminal_as_it_was(self) -> None:
        terminal = self.watch(NO_COLOR="1")
        terminal.read_until("clean")
        os.kill(terminal.pid, signal.SIGTSTP)
        self.assertTrue(os.WIFSTOPPED(os.waitpid(terminal.pid, os.WUNTRACED)[1]))
        terminal.read_until(re.escape(LEAVE))
        os.kill(terminal.pid, signal.SIGCONT)
        terminal.read_until(re.escape(LEAVE) + r"[\s\S]*" + re.escape(ENTER) + r"[\s\S]*clean")
        terminal.type("q")
        self.assertEqual(terminal.end(), 0)


class PipeTest(unittest.TestCase):
    """Without a terminal: exit codes, JSON, no colour."""

    def setUp(self) -> None:
        self.folder = self.enterContext(tempfile.TemporaryDirectory())
        self.daemon = FakeDaemon(self.folder)
        self.addCleanup(self.daemon.close)

    def run_ctl(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([CMIRRORCTL, "--socket", self.daemon.path, *arguments], capture_output=True, text=True, timeout=30, check=False)

    def test_exit_codes_tell_how_it_is(self) -> None:
        self.assertEqual(self.run_ctl("status").returncode, 0)
        self.daemon.answer = snapshot(9, "ccccccccco")
        self.assertEqual(self.run_ctl("status").returncode, 1)
        self.daemon.answer = {"version": 1, "error": "only root may ask"}
        done = self.run_ctl("status")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("only root may ask", done.stderr)
        self.daemon.answer = {"version": 99}
        self.assertEqual(self.run_ctl("status").returncode, 1)
        os.unlink(self.daemon.path)
        for command in ("status", "dump", "metrics", "check", "node-gone 3", "activate --all"):
            expected = 0 if command.startswith("activate") else 3
            done = self.run_ctl("--tab", f"{self.folder}/tab", *command.split())
            self.assertEqual(done.returncode, expected, (command, done))

    def test_wrong_usage_is_2(self) -> None:
        for arguments in ((), ("nonsense",), ("node-gone", "0"), ("create", "x"), ("activate",), ("activate", "x", "--all"),
                          ("create", "x", "--leg", "/a", "--leg", "/b", "--size", "5"), ("watch", "--interval", "0")):
            self.assertEqual(self.run_ctl(*arguments).returncode, 2, arguments)

    def test_wrong_usage_says_what_there_is(self) -> None:
        self.assertRegex(self.run_ctl("stats").stderr, r'^cmirrorctl: there is no command "stats"; there are status, watch, .*, replace-leg\n')
        self.assertRegex(self.run_ctl().stderr, r"^cmirrorctl: no command is given; there are status, ")
        self.assertRegex(self.run_ctl("create").stderr, r"^cmirrorctl: NAME is required\n")
        self.assertRegex(self.run_ctl("watch", "--interval", "x").stderr, r'^cmirrorctl: --interval: "x" is not between 0\.1 and 3600 seconds\n')

    def test_output_that_is_lost_is_a_failure(self) -> None:
        with open("/dev/full", "w", encoding="ascii") as full:
            done = subprocess.run([CMIRRORCTL, "--socket", self.daemon.path, "status"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (1, "cmirrorctl: the output cannot be written\n"))

    def test_locale_changes_nothing(self) -> None:
        outputs = set()
        for locale in ("C", "C.UTF-8", "de_DE.UTF-8", "tr_TR.ISO-8859-9"):
            done = subprocess.run([CMIRRORCTL, "--socket", self.daemon.path, "status", "-v"], capture_output=True, check=False,
                                  env={**os.environ, "LC_ALL": locale})
            outputs.add(done.stdout)
        self.assertEqual(len(outputs), 1)
        self.assertTrue(outputs.pop().isascii())

    def test_errors_are_json_as_well(self) -> None:
        self.daemon.answer = {"version": 1, "error": "only root may ask"}
        for command in ("status", "dump", "metrics", "node-gone 3"):
            done = self.run_ctl("--json", *command.split())
            self.assertEqual((done.returncode, json.loads(done.stdout)), (1, {"version": 1, "error": "only root may ask"}), command)
        os.unlink(self.daemon.path)
        for command in ("status", "dump", "metrics", "node-gone 3"):
            done = self.run_ctl("--json", *command.split())
            document = json.loads(done.stdout)
            self.assertEqual((done.returncode, document["version"], document["running"]), (3, 1, False), command)
            self.assertIn("systemctl start lvm2-cmirrord", document["error"])

    @unittest.skipUnless(os.geteuid() == 0, "only root can be somebody else")
    def test_who_must_not_ask_is_told_so(self) -> None:
        os.chmod(self.daemon.path, 0o600)
        os.chmod(self.folder, 0o755)
        for command in ("status", "metrics", "check"):
            done = subprocess.run(["setpriv", "--reuid", "65534", "--clear-groups", CMIRRORCTL, "--socket", self.daemon.path, command],
                                  capture_output=True, text=True, timeout=30, check=False)
            self.assertEqual(done.returncode, 1, (command, done))
            self.assertIn("run it as root", done.stdout + done.stderr)

    def test_json_has_a_version_and_hyphenated_keys(self) -> None:
        document = json.loads(self.run_ctl("--json", "status").stdout)
        self.assertEqual((document["version"], document["healthy"], document["logs"][0]["sync-count"]), (1, True, 10))
        documents = [document]
        for command in ("metrics", "check", "activate x", "activate --all", "deactivate x", "remove x", "refresh x", "replace-leg x /a /b",
                        "create x --leg /a --leg /b"):
            documents.append(json.loads(self.run_ctl("--json", "--tab", f"{self.folder}/tab", *command.split()).stdout))
        self.daemon.answers = {"events": {"version": 1, "events": ["it began"]}, "node-gone": {"version": 1, "logs": 1}}
        for command in ("dump", "node-gone 3"):
            documents.append(json.loads(self.run_ctl("--json", *command.split()).stdout))
        self.assertEqual({each["version"] for each in documents}, {1})
        keys: set[str] = set()
        def collect(value: object) -> None:
            if isinstance(value, dict):
                keys.update(value)
                for item in value.values():
                    collect(item)
            elif isinstance(value, list):
                for item in value:
                    collect(item)
        collect(documents)
        self.assertEqual([key for key in keys if not re.fullmatch(r"[a-z]+(-[a-z]+)*", key)], [])

    def test_metrics_for_the_textfile_collector_come_as_a_whole(self) -> None:
        path = Path(self.folder) / "cmirror.prom"
        self.assertEqual(self.run_ctl("metrics", "--textfile", str(path)).returncode, 0)
        self.assertIn("cmirror_up 1\n", path.read_text())
        os.unlink(self.daemon.path)
        self.assertEqual(self.run_ctl("metrics", "--textfile", str(path)).returncode, 3)
        self.assertIn("cmirror_up 0\n", path.read_text())
        self.assertEqual([entry.name for entry in path.parent.iterdir()], ["cmirror.prom"])

    def test_metrics_can_be_read_by_the_collector_and_leave_no_draft(self) -> None:
        path = Path(self.folder) / "cmirror.prom"
        before = os.umask(0o077)
        self.addCleanup(os.umask, before)
        self.assertEqual(self.run_ctl("metrics", "--textfile", str(path)).returncode, 0)
        self.assertEqual(path.stat().st_mode & 0o777, 0o644)
        path.unlink()
        path.mkdir()
        done = self.run_ctl("metrics", "--textfile", str(path))
        self.assertEqual((done.returncode, done.stderr), (1, f"cmirrorctl: {path}: cannot be written (Is a directory)\n"))
        self.assertEqual(sorted(entry.name for entry in path.parent.iterdir()), ["cmirror.prom", "control.sock"])

    def test_node_gone_is_told(self) -> None:
        self.daemon.answers["node-gone"] = {"version": 1, "logs": 2}
        done = self.run_ctl("node-gone", "7")
        self.assertEqual((done.returncode, done.stdout), (0, "node 7 is gone: told to 2 logs of this node\n"))
        self.assertEqual(self.daemon.requests[-1], {"version": 1, "request": "node-gone", "node": 7})
        self.daemon.answers["node-gone"] = {"version": 1, "logs": 0}
        self.assertIn("no mirror is active on this node", self.run_ctl("node-gone", "7").stdout)

    def test_node_that_is_in_the_cluster_is_not_gone(self) -> None:
        self.daemon.answer["components"][0]["node-list"] = [1, 2, 30]
        for node, why in (("1", "node 1 is this node"), ("30", "node 30 is in the cluster at this moment, nothing was done")):
            done = self.run_ctl("node-gone", node)
            self.assertEqual((done.returncode, done.stdout), (1, ""), done)
            self.assertIn(why, done.stderr)
            done = self.run_ctl("--json", "node-gone", node)
            self.assertIn(why, json.loads(done.stdout)["error"])
        self.assertEqual({request["request"] for request in self.daemon.requests}, {"status"})
        self.daemon.answers["node-gone"] = {"version": 1, "logs": 1}
        self.assertEqual(self.run_ctl("node-gone", "3").returncode, 0)

    def test_watch_tells_programs_why_there_is_nothing(self) -> None:
        os.unlink(self.daemon.path)
        watcher = subprocess.Popen([CMIRRORCTL, "--socket", self.daemon.path, "--json", "watch"], stdout=subprocess.PIPE, text=True)
        self.addCleanup(watcher.stdout.close)
        document = json.loads(watcher.stdout.readline())
        watcher.terminate()
        self.assertEqual((watcher.wait(), document["version"], document["running"]), (3, 1, False))
        self.assertIn("systemctl start lvm2-cmirrord", document["error"])


if __name__ == "__main__":
    unittest.main()
