"""Servers that are not ours as upstreams: what vLLM answers with (uvicorn, over h11 and over
httptools), Python's http.server in HTTP/1.0 and 1.1, and Node's. Bodies with a length, in chunks
and until the connection closes, streams, and connections that the server closed while idle."""
import http.client
import http.server
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

ASSAY = os.environ["ASSAY"]
passed = failed = 0
ANSWER = json.dumps({"id": "chatcmpl-1", "object": "chat.completion", "model": "m", "choices": [
    {"index": 0, "message": {"role": "assistant", "content": "Gr\u00fc\u00dfe"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}).encode()
EVENTS = [b"data: " + json.dumps({"id": "chatcmpl-2", "object": "chat.completion.chunk", "choices": [
    {"index": 0, "delta": {"content": f"t{i} "}, "finish_reason": None if i < 9 else "stop"}]}).encode() + b"\n\n"
    for i in range(10)] + [b"data: [DONE]\n\n"]

# One module that uvicorn runs: the same answers, in pieces as they come.
ASGI = f"""
import asyncio
ANSWER, EVENTS = {ANSWER!r}, {EVENTS!r}
async def app(scope, receive, send):
    body = b""
    while scope["type"] == "http":
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    else:
        return
    stream = b'"stream": true' in body
    head = [(b"content-type", b"text/event-stream" if stream else b"application/json")]
    if b'"chunks": false' in body:
        head.append((b"content-length", str(len(ANSWER)).encode()))
    await send({{"type": "http.response.start", "status": 200, "headers": head}})
    for piece in EVENTS if stream else [ANSWER[:9], ANSWER[9:]]:
        await send({{"type": "http.response.body", "body": piece, "more_body": True}})
        await asyncio.sleep(0.002)
    await send({{"type": "http.response.body", "body": b""}})
"""

NODE = f"""
const answer = Buffer.from({ANSWER.hex()!r}, 'hex');
const events = {json.dumps([e.decode() for e in EVENTS])};
require('http').createServer({{keepAliveTimeout: 700}}, (q, s) => {{
  let body = ''; q.on('data', d => body += d);
  q.on('end', async () => {{
    const stream = body.includes('"stream": true');
    s.setHeader('Content-Type', stream ? 'text/event-stream' : 'application/json');
    if (body.includes('"chunks": false')) {{ s.setHeader('Content-Length', answer.length); s.end(answer); return; }}
    for (const piece of stream ? events : [answer.subarray(0, 9), answer.subarray(9)]) {{
      s.write(piece); await new Promise(go => setTimeout(go, 2));
    }}
    s.end();
  }});
}}).listen(+process.argv[2], '127.0.0.1');
"""


def check(name, ok):
    global passed, failed
    passed, failed = passed + bool(ok), failed + (not ok)
    print(f"[{'       OK' if ok else '  FAILED '} ] {name}")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(port):
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"nobody listens on {port}")


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        stream, length = b'"stream": true' in body, self.protocol_version == "HTTP/1.1"
        text = b"".join(EVENTS) if stream else ANSWER
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream" if stream else "application/json")
        if length:
            self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *ignored):
        pass


def python_server(version):
    kind = type("Handler", (Handler,), {"protocol_version": version, "timeout": 0.7})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_port, server.shutdown


def process_server(command):
    port = free_port()
    process = subprocess.Popen([part.replace("PORT", str(port)) for part in command])
    wait_for(port)

    def stop():
        process.terminate()
        process.wait(20)
    return port, stop


def servers(folder):
    with open(os.path.join(folder, "upstream_app.py"), "w") as f:
        f.write(ASGI)
    with open(os.path.join(folder, "upstream.js"), "w") as f:
        f.write(NODE)
    for version in ("HTTP/1.0", "HTTP/1.1"):
        yield "http.server " + version, lambda version=version: python_server(version)
    for protocol in ("h11", "httptools"):
        yield "uvicorn " + protocol, lambda protocol=protocol: process_server(
            [sys.executable, "-m", "uvicorn", "--app-dir", folder, "--http", protocol, "--port", "PORT",
             "--timeout-keep-alive", "1", "--log-level", "error", "upstream_app:app"])
    if shutil.which("node"):
        yield "node", lambda: process_server(["node", os.path.join(folder, "upstream.js"), "PORT"])


def ask(c, **more):
    c.request("POST", "/v1/chat/completions", json.dumps({"model": "m", "messages": [], **more}),
              {"Content-Type": "application/json"})
    answer = c.getresponse()
    return answer.status, answer.read()


def judge(name, port):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    check(name + ": whole", all(ask(c, chunks=False) == (200, ANSWER) for _ in range(20)))
    check(name + ": in pieces", all(ask(c) == (200, ANSWER) for _ in range(5)))
    check(name + ": streamed", all(ask(c, stream=True) == (200, b"".join(EVENTS)) for _ in range(5)))
    time.sleep(1.6)  # the upstream closes what is idle meanwhile
    check(name + ": after a pause", ask(c, chunks=False) == (200, ANSWER))
    c.close()


def main():
    with tempfile.TemporaryDirectory() as folder:
        log = os.path.join(folder, "log")
        subprocess.run([ASSAY, "log", "init", log, "--origin", "upstreams.example/log"], check=True, capture_output=True)
        for name, start in servers(folder):
            port, stop = start()
            serve = subprocess.Popen([ASSAY, "serve", "--log", log, "--listen", "127.0.0.1:0", "--upstream",
                                      f"http://127.0.0.1:{port}/v1"], stderr=subprocess.PIPE, text=True)
            mine = next(json.loads(l)["port"] for l in serve.stderr if '"listening"' in l)
            threading.Thread(target=serve.stderr.read, daemon=True).start()
            judge(name, mine)
            serve.terminate()
            check(name + ": ends", serve.wait(20) == 0)
            stop()
        done = subprocess.run([ASSAY, "log", "verify", log], capture_output=True, text=True)
        check("the log verifies", done.returncode == 0)
    print(f"{passed} passed, {failed} failed")
    return failed != 0


sys.exit(main())
