"""An object store that speaks as much of S3 as runs need: put, get, list, delete; it fails on demand."""

import re
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

AT = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'


class Bucket:
    """`objects` holds contents by key (`bucket/key`); `asked` the requests; `fault(method, key)` refuses some."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.asked: list[tuple[str, str]] = []
        self.fault: Callable[[str, str], bool] = lambda method, key: False
        self.lock = threading.Lock()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.environment = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.server.server_port}",
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": "id",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    def __enter__(self) -> "Bucket":
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *wrong: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def listing(self, bucket: str, prefix: str) -> bytes:
        """What lies directly below a prefix, as ListObjectsV2 says it."""
        prefix = f"{bucket}/{prefix}"
        found = [key for key in sorted(self.objects) if key.startswith(prefix)]
        below = dict.fromkeys(key[len(prefix) :].partition("/")[:2] for key in found)
        text = f"<ListBucketResult {AT}><Name>{bucket}</Name><IsTruncated>false</IsTruncated>"
        for name, slash in below:
            key = escape(prefix.partition("/")[2] + name + slash)
            about = "<LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>1</ETag>"
            size = len(self.objects.get(prefix + name, b""))
            text += (
                f"<CommonPrefixes><Prefix>{key}</Prefix></CommonPrefixes>"
                if slash
                else f"<Contents><Key>{key}</Key>{about}<Size>{size}</Size></Contents>"
            )
        return f"{text}</ListBucketResult>".encode()


def _handler(bucket: Bucket) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            asked = urlsplit(self.path)
            key, query = unquote(asked.path).lstrip("/"), parse_qs(asked.query)
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            with bucket.lock:
                bucket.asked.append((self.command, key))
                if bucket.fault(self.command, key):
                    return self.say(403, b"<Error><Code>AccessDenied</Code><Message>not today</Message></Error>")
                if self.command == "PUT":
                    bucket.objects[key] = body
                    return self.say(200)
                if self.command == "POST":  # DeleteObjects
                    gone = re.findall(r"<Key>([^<]*)</Key>", body.decode())
                    for one in gone:
                        bucket.objects.pop(f"{key}/{one}", None)
                    said = "".join(f"<Deleted><Key>{one}</Key></Deleted>" for one in gone)
                    return self.say(200, f"<DeleteResult {AT}>{said}</DeleteResult>".encode())
                if "list-type" in query:
                    return self.say(200, bucket.listing(key, query.get("prefix", [""])[0]))
                if key not in bucket.objects:
                    return self.say(404, b"<Error><Code>NoSuchKey</Code></Error>")
                self.say(200, bucket.objects[key])

        do_GET = do_PUT = do_POST = answer

        def say(self, code: int, content: bytes = b"") -> None:
            self.send_response(code)
            for name, value in (("ETag", '"1"'), ("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")):
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *about: object) -> None: ...

    return Handler
