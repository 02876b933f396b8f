"""A Hub on loopback, in memory: what huggingface_hub's client asks of the real one for uploads and downloads.

Blobs are sent and received at another origin (`localhost` instead of `127.0.0.1`), which refuses any token. Faults are
put in by `fail`: an answer, a cut connection, or an answer that is lost after the request was carried out.
"""

import base64
import hashlib
import json
import re
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

LARGE = (".safetensors", ".png", ".parquet")
TOKENS: dict[str, dict[str, Any]] = {
    "hf_" + "w" * 24: {"name": "ann", "orgs": [{"name": "org", "roleInOrg": "write"}], "role": "write"},
    "hf_" + "r" * 24: {"name": "ann", "orgs": [{"name": "org", "roleInOrg": "write"}], "role": "read"},
    "hf_" + "o" * 24: {"name": "bob", "orgs": [{"name": "org", "roleInOrg": "read"}], "role": "write"},
    "hf_" + "f" * 24: {"name": "bob", "orgs": [], "role": "fineGrained"},
}
WRITER, READER, OTHER, FINE = TOKENS


@dataclass(frozen=True)
class Entry:
    """A file of a commit."""

    content: bytes
    large: bool

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def oid(self) -> str:
        return hashlib.sha1(b"blob %d\0" % len(self.content) + self.content).hexdigest()

    def listed(self, path: str) -> dict[str, Any]:
        lfs = {"lfs": {"oid": self.sha256, "size": len(self.content), "pointerSize": 130}} if self.large else {}
        return {"type": "file", "path": path, "size": len(self.content), "oid": self.oid} | lfs


@dataclass
class Repository:
    private: bool
    commits: list[tuple[str, str, dict[str, Entry]]] = field(default_factory=list)
    """(id, title, files), the oldest first."""
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    def commit(self, branch: str, title: str, files: dict[str, Entry]) -> str:
        oid = hashlib.sha1(f"{title}{len(self.commits)}{sorted(files)}".encode()).hexdigest()
        self.commits.append((oid, title, files))
        self.branches[branch] = oid
        return oid

    def find(self, revision: str) -> str | None:
        known = {oid: oid for oid, *_ in self.commits} | self.branches | self.tags
        return known.get(revision)

    def files(self, revision: str = "main") -> dict[str, Entry]:
        return {oid: files for oid, _, files in self.commits}[self.find(revision) or ""]


@dataclass
class Fault:
    """What happens to the requests number `first` ... `last` (from 1) of a route."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b'{"error": "injected"}'
    cut: bool = False
    """The connection ends when half of the request has been read."""
    lose: bool = False
    """The request is carried out, then the connection ends without an answer."""
    meanwhile: Callable[[], None] | None = None
    """Is called first."""
    first: int = 1
    last: int = 1
    seen: int = 0


class Hub:
    """`with Hub() as hub:` serves at `hub.url`."""

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.blobs: dict[str, bytes] = {}
        self.faults: dict[str, list[Fault]] = {}
        self.requests: list[tuple[str, str]] = []
        """(route, path) of every request that came."""
        self.pauses: list[float] = []
        """Seconds that clients in this process waited before they tried again."""
        self.leaks: list[str] = []
        """Requests for blobs that carried a token."""
        self.listing: Callable[[list[dict[str, Any]]], list[dict[str, Any]]] = lambda entries: entries
        """What is done to lists of files before they are sent."""
        self.damage: Callable[[bytes], bytes] = lambda content: content
        """What is done to blobs before they are sent."""
        self.reached = threading.Event()
        """Set when half of a blob has come."""
        self.hold: threading.Event | None = None
        """What a coming blob waits for when half of it has come."""
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"hub": self}))
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.url, self.blob_url = f"http://127.0.0.1:{self.port}", f"http://localhost:{self.port}"

    def __enter__(self) -> "Hub":
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def fail(self, route: str, **fault: Any) -> None:
        self.faults.setdefault(route, []).append(Fault(**fault))

    def count(self, route: str) -> int:
        return Counter(name for name, _ in self.requests)[route]

    def add(self, name: str, files: dict[str, bytes], *, private: bool = False) -> Repository:
        """A repository that holds files."""
        repository = self.repositories[name] = Repository(private)
        repository.commit("main", "initial commit", {".gitattributes": Entry(b"*.safetensors filter=lfs\n", False)})
        if files:
            entries = {path: Entry(content, path.endswith(LARGE)) for path, content in files.items()}
            repository.commit("main", "files", repository.files() | entries)
        return repository


class Cut(Exception):
    """Ends the connection without an answer."""


T = r"/api/(?:models|datasets)/(?P<name>[^/]+/[^/]+)"
F = r"/(?:datasets/)?(?P<name>[^/]+/[^/]+)"
ROUTES: list[tuple[str, str, str]] = [
    ("GET", "whoami", r"/api/whoami-v2"),
    ("GET", "harnesses", r"/api/agent-harnesses"),
    ("POST", "create", r"/api/repos/create"),
    ("POST", "yaml", r"/api/validate-yaml"),
    ("GET", "auth", T + r"/auth-check(?P<write>/write)?"),
    ("POST", "preupload", T + r"/preupload/(?P<revision>[^/]+)"),
    ("POST", "commit", T + r"/commit/(?P<revision>[^/]+)"),
    ("GET", "refs", T + r"/refs"),
    ("GET", "tree", T + r"/tree/(?P<revision>[^/]+)(?:/(?P<path>.*))?"),
    ("POST", "paths", T + r"/paths-info/(?P<revision>[^/]+)"),
    ("POST", "tag", T + r"/tag/(?P<revision>[^/]+)"),
    ("POST", "branch", T + r"/branch/(?P<revision>[^/]+)"),
    ("GET", "info", T + r"(?:/revision/(?P<revision>[^/]+))?"),
    ("POST", "batch", F + r"\.git/info/lfs/objects/batch"),
    ("GET", "resolve", F + r"/resolve/(?P<revision>[^/]+)/(?P<path>.+)"),
    ("PUT", "put", r"/blobs/(?P<oid>[0-9a-f]{64})"),
    ("GET", "blob", r"/blobs/(?P<oid>[0-9a-f]{64})"),
]


class Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._answer("GET")

    do_HEAD = do_GET

    def do_POST(self) -> None:
        self._answer("POST")

    def do_PUT(self) -> None:
        self._answer("PUT")

    def _answer(self, method: str) -> None:
        self.path_, query = urlsplit(self.path).path, urlsplit(self.path).query
        self.query = parse_qs(query)
        found = ((route, re.fullmatch(way, self.path_)) for verb, route, way in ROUTES if verb == method)
        route, match = next(((route, match) for route, match in found if match), ("none", None))
        self.hub.requests.append((route, self.path_))
        try:
            fault = self._fault(route)
            if fault and fault.meanwhile:
                fault.meanwhile()
            self.body = self._read(fault is not None and fault.cut)
            if fault and fault.status:
                return self._send(fault.status, fault.body, fault.headers)
            if not match:
                return self._send(404, {"error": f"no route {method} {self.path_}"})
            self.lost = bool(fault and fault.lose)
            names = {key: unquote(value) for key, value in match.groupdict().items() if value is not None}
            return getattr(self, "on_" + route)(**names)
        except Cut:
            self.close_connection = True
            self.connection.close()

    def _fault(self, route: str) -> Fault | None:
        faults = self.hub.faults.get(route, [])
        for fault in faults:
            fault.seen += 1
        return next((fault for fault in faults if fault.first <= fault.seen <= fault.last), None)

    def _read(self, cut: bool) -> bytes:
        """The body, by size or in chunks."""
        if self.headers.get("Transfer-Encoding") == "chunked":
            splits = []
            while size := int(self.rfile.readline(), 16):
                splits.append(self.rfile.read(size))
                self.rfile.readline()
                if cut:
                    raise Cut
                self._held()
            self.rfile.readline()
            return b"".join(splits)
        size = int(self.headers.get("Content-Length") or 0)
        half = self.rfile.read(size // 2)
        if cut:
            raise Cut
        self._held()
        return half + self.rfile.read(size - size // 2)

    def _held(self) -> None:
        if self.command == "PUT" and self.hub.hold:
            self.hub.reached.set()
            self.hub.hold.wait(20)

    def _send(self, status: int, body: Any = b"", headers: dict[str, str] | None = None) -> None:
        if getattr(self, "lost", False):
            raise Cut
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for key, value in ({"Content-Length": str(len(content))} | (headers or {})).items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _user(self) -> dict[str, Any] | None:
        return TOKENS.get(self.headers.get("Authorization", "").removeprefix("Bearer "))

    def _may(self, name: str, *, write: bool = False) -> bool:
        user, owner = self._user(), name.partition("/")[0]
        if user is None:
            return False
        roles = {user["name"]: "admin"} | {org["name"]: org["roleInOrg"] for org in user["orgs"]}
        return roles.get(owner) in {"admin", "write"} and user["role"] != "read" if write else owner in roles

    def _repository(self, name: str, revision: str = "main", *, write: bool = False) -> tuple[Repository, str] | None:
        """(the repository, the commit), or None after an error has been sent."""
        repository = self.hub.repositories.get(name)
        if repository is None or (repository.private and not self._may(name)):
            self._send(
                404 if self._user() else 401, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"}
            )
        elif write and not self._may(name, write=True):
            self._send(403, {"error": "You don't have write access"})
        elif (commit := repository.find(revision)) is None:
            self._send(404, {"error": "Invalid rev id"}, {"X-Error-Code": "RevisionNotFound"})
        else:
            return repository, commit
        return None

    # -- accounts and repositories

    def on_harnesses(self) -> None:
        self._send(200, {"standardEnvVars": [], "harnesses": {}})

    def on_whoami(self) -> None:
        if user := self._user():
            auth = {"auth": {"accessToken": {"role": user["role"]}}}
            return self._send(200, {"type": "user", "name": user["name"], "orgs": user["orgs"]} | auth)
        return self._send(401, {"error": "Invalid username or password."}, {"X-Error-Message": "Invalid credentials"})

    def on_yaml(self) -> None:
        bad = "pipeline_tag: [" in json.loads(self.body)["content"]
        errors = [{"message": "bad indentation"}] if bad else []
        self._send(400 if bad else 200, {"errors": errors, "warnings": []})

    def on_create(self) -> None:
        values = json.loads(self.body)
        owner = values.get("organization") or (self._user() or {"name": ""})["name"]
        name = f"{owner}/{values['name']}"
        if not self._may(name, write=True):
            return self._send(403, {"error": f"You don't have the rights to create a model under {owner}"})
        if name in self.hub.repositories:
            return self._send(409, {"error": "You already created this repo", "url": f"{self.hub.url}/{name}"})
        self.hub.add(name, {}, private=values.get("visibility") == "private")
        return self._send(200, {"url": f"{self.hub.url}/{name}"})

    def on_auth(self, name: str, write: str = "") -> None:
        if self._repository(name, write=bool(write)):
            self._send(200)

    def on_info(self, name: str, revision: str = "main") -> None:
        if found := self._repository(name, revision):
            repository, commit = found
            siblings = [{"rfilename": path} for path in repository.files(commit)]
            shape = {"id": name, "sha": commit, "private": repository.private, "siblings": siblings, "tags": []}
            self._send(200, shape)

    def on_refs(self, name: str) -> None:
        if found := self._repository(name):
            kinds = {"branches": found[0].branches, "tags": found[0].tags}
            lists = {
                kind: [{"name": ref, "ref": f"refs/{ref}", "targetCommit": oid} for ref, oid in refs.items()]
                for kind, refs in kinds.items()
            }
            self._send(200, lists | {"converts": []})

    def on_branch(self, name: str, revision: str) -> None:
        self._point(name, revision, (json.loads(self.body or b"{}")).get("startingPoint") or "main", "branches")

    def on_tag(self, name: str, revision: str) -> None:
        self._point(name, json.loads(self.body)["tag"], revision, "tags")

    def _point(self, name: str, ref: str, revision: str, kind: str) -> None:
        if found := self._repository(name, revision, write=True):
            refs: dict[str, str] = getattr(found[0], kind)
            if ref in refs:
                return self._send(409, {"error": f"{ref} exists already"})
            refs[ref] = found[1]
            return self._send(200, {})
        return None

    # -- up

    def on_preupload(self, name: str, revision: str) -> None:
        if found := self._repository(name, revision, write=True):
            held = found[0].files(found[1])
            answers = []
            for file in json.loads(self.body)["files"]:
                entry, large = held.get(file["path"]), file["path"].endswith(LARGE)
                oid = entry and (entry.sha256 if entry.large else entry.oid)
                mode = {"uploadMode": "lfs" if large else "regular", "shouldIgnore": False}
                answers.append({"path": file["path"], "oid": oid} | mode)
            self._send(200, {"files": answers})

    def on_batch(self, name: str) -> None:
        if self._repository(name, write=True):
            objects = []
            for asked in json.loads(self.body)["objects"]:
                upload = {"actions": {"upload": {"href": f"{self.hub.blob_url}/blobs/{asked['oid']}"}}}
                objects.append(asked | ({} if asked["oid"] in self.hub.blobs else upload))
            self._send(200, {"transfer": "basic", "objects": objects})

    def on_put(self, oid: str) -> None:
        self._no_token()
        if hashlib.sha256(self.body).hexdigest() != oid:
            return self._send(400, {"error": "another content"})
        self.hub.blobs[oid] = self.body
        return self._send(200)

    def on_commit(self, name: str, revision: str) -> None:
        found = self._repository(name, revision, write=True)
        if not found:
            return None
        repository, head = found
        lines = [json.loads(line) for line in self.body.splitlines()]
        files = dict(repository.files(head))
        title = ""
        for line in lines:
            value = line["value"]
            match line["key"]:
                case "header":
                    title = value["summary"]
                    if value.get("parentCommit") not in (None, head):
                        return self._send(412, {"error": "A commit has happened since. Please refresh and try again."})
                case "file":
                    files[value["path"]] = Entry(base64.b64decode(value["content"]), False)
                case "lfsFile":
                    files[value["path"]] = Entry(self.hub.blobs[value["oid"]], True)
                case "deletedFile":
                    del files[value["path"]]
        oid = repository.commit(revision, title, files)
        return self._send(200, {"commitOid": oid, "commitUrl": f"{self.hub.url}/{name}/commit/{oid}"})

    # -- down

    def on_tree(self, name: str, revision: str, path: str = "") -> None:
        if found := self._repository(name, revision):
            inside = {p: e for p, e in found[0].files(found[1]).items() if not path or p.startswith(f"{path}/")}
            if path and not inside:
                return self._send(404, {"error": "no such folder"}, {"X-Error-Code": "EntryNotFound"})
            recursive = self.query.get("recursive", [""])[0].lower() in ("true", "1") or bool(path)
            entries = [e.listed(p) for p, e in inside.items() if recursive or "/" not in p]
            folders = {p.rpartition("/")[0] for p in inside if "/" in p}
            entries += [{"type": "directory", "path": folder, "size": 0, "oid": "0" * 40} for folder in sorted(folders)]
            return self._send(200, self.hub.listing(entries))
        return None

    def on_paths(self, name: str, revision: str) -> None:
        if found := self._repository(name, revision):
            files, asked = found[0].files(found[1]), parse_qs(self.body.decode()).get("paths", [])
            self._send(200, [files[path].listed(path) for path in asked if path in files])

    def on_resolve(self, name: str, revision: str, path: str) -> None:
        if found := self._repository(name, revision):
            repository, commit = found
            entry, headers = repository.files(commit).get(path), {"X-Repo-Commit": commit}
            if entry is None:
                self._send(404, {"error": "Entry not found"}, headers | {"X-Error-Code": "EntryNotFound"})
            elif entry.large:
                self.hub.blobs[entry.sha256] = entry.content
                headers |= {"X-Linked-Etag": f'"{entry.sha256}"', "X-Linked-Size": str(len(entry.content))}
                self._send(302, b"", headers | {"Location": f"{self.hub.blob_url}/blobs/{quote(entry.sha256)}"})
            else:
                self._content(entry.content, headers | {"ETag": f'"{entry.oid}"'})

    def on_blob(self, oid: str) -> None:
        self._no_token()
        self._content(self.hub.damage(self.hub.blobs[oid]), {"ETag": f'"{oid}"'})

    def _content(self, content: bytes, headers: dict[str, str]) -> None:
        """A content, or the part of it that is asked for."""
        if asked := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
            start, end = int(asked[1]), min(int(asked[2] or len(content)), len(content) - 1)
            headers |= {"Content-Range": f"bytes {start}-{end}/{len(content)}"}
            return self._send(206, content[start : end + 1], headers)
        return self._send(200, content, headers | {"Accept-Ranges": "bytes"})

    def _no_token(self) -> None:
        if self.headers.get("Authorization"):
            self.hub.leaks.append(self.path_)
