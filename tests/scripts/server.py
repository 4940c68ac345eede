"""An HTTP server on 127.0.0.1 that answers as it is told: whole, in part, cut short, changed in between."""
import contextlib
import http.server
import threading


class Answers:
    """What the server gives, and what it was asked.

    content: bytes of /file; cut: for each request that is answered, how many bytes to send before breaking off
    (None = all); ranges: whether it continues; etag: version; status: of every answer, 0 = as usual.
    """

    def __init__(self, content):
        self.content, self.cut, self.ranges, self.etag, self.status = content, [], True, '"one"', 0
        self.asked = []     # Range headers

    def answer(self, handler):
        start = handler.headers.get('Range')
        self.asked.append(start)
        if self.status:
            return handler.send_error(self.status)
        first = 0
        if start and self.ranges and handler.headers.get('If-Range') == self.etag:
            first = int(start[len('bytes='):-1])
            handler.send_response(206)
            handler.send_header('Content-Range', f'bytes {first}-{len(self.content) - 1}/{len(self.content)}')
        else:
            handler.send_response(200)
        body = self.content[first:]
        handler.send_header('Content-Length', str(len(body)))
        if self.etag:
            handler.send_header('ETag', self.etag)
        handler.end_headers()
        cut = self.cut.pop(0) if self.cut else None
        handler.wfile.write(body if cut is None else body[:cut])
        handler.close_connection = True


@contextlib.contextmanager
def serving(answers):
    """-> address of the file."""
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = 'HTTP/1.1'

        def do_GET(self):
            answers.answer(self)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={'poll_interval': 0.01}, daemon=True)
    thread.start()
    try:
        yield f'http://127.0.0.1:{server.server_address[1]}/file'
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
