"""A web server with files, which can lose connections."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import repeat


class FileServer(ThreadingHTTPServer):
    """Files by their path; `seen` has every request with its headers.

    Of each answer, as long as there are `cuts`, so many bytes are sent. Each has the next of the
    `versions` as its ETag.
    """

    daemon_threads = True

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), _Files)
        self.files, self.seen = files, list[str]()
        self.cuts, self.status = list[int](), 200
        self.versions: Iterator[str] = repeat('"1"')

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_port}"


class _Files(BaseHTTPRequestHandler):
    server: FileServer

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        server = self.server
        server.seen.append(f"{self.path} {self.headers}")
        content = server.files.get(self.path.partition("?")[0])
        start, status = 0, server.status if content is not None else 404
        version = next(server.versions)
        if self.headers.get("If-Range") == version:
            start, status = int(self.headers["Range"].removeprefix("bytes=").rstrip("-")), 206
        body = (content or b"")[start:]
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if version:
            self.send_header("ETag", version)
        self.end_headers()
        with suppress(ConnectionError):  # a reader who has seen enough
            self.wfile.write(body[: server.cuts.pop(0)] if server.cuts else body)


@contextmanager
def serving_files(files: dict[str, bytes]) -> Iterator[FileServer]:
    with FileServer(files) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()
