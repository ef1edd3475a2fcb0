"""A model behind a few lines of a web framework: POST /score with applicants, answered with their scores."""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Score(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.path != "/score":
            answer, status = {"token": "none of the model's"}, 200
        else:
            rows = json.loads(body)["request"]["applicants"]
            scores = [row["income"] / 100 for row in rows]
            answer, status = {"scores": scores, "version": 3}, 200
        text = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Score).serve_forever()
