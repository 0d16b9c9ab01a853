"""Official clients, unchanged, through the running proxy and against the bundled engine: OpenAI's
for Python and JavaScript, Anthropic's for Python; over plain HTTP and over TLS with and without a
client's certificate."""
import datetime
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import typing
import urllib.error
import urllib.request

import anthropic
import httpx2 as httpx
import openai
import pydantic

ASSAY, BUILD = os.environ["ASSAY"], os.environ["BUILD"]
HERE = os.path.dirname(os.path.abspath(__file__))
passed = failed = 0


def check(name, ok):
    global passed, failed
    passed, failed = passed + bool(ok), failed + (not ok)
    print(f"[{'       OK' if ok else '  FAILED '} ] {name}")


def run(*args):
    return subprocess.run(args, check=True, capture_output=True, text=True).stdout


class Server:
    running = []

    def __init__(self, folder, text):
        path = os.path.join(folder, "serve.yaml")
        with open(path, "w") as f:
            f.write(text)
        self.process = subprocess.Popen([ASSAY, "serve", "--config", path], stderr=subprocess.PIPE, text=True)
        Server.running.append(self.process)
        for line in self.process.stderr:
            event = json.loads(line) if line.startswith("{") else {}
            if event.get("event") == "listening":
                self.port, self.admin_port = event["port"], event["admin_port"]
                return
        raise SystemExit("the server did not start")

    def stop(self):
        self.process.terminate()
        return self.process.wait(20) == 0


def openai_checks(client):
    messages = [{"role": "user", "content": "hi"}]
    answer = client.chat.completions.create(model="ok", messages=messages)
    check("python_chat", "Paris" in answer.choices[0].message.content and answer.usage.completion_tokens == 32)
    raw = client.chat.completions.with_raw_response.create(model="ok", messages=messages)
    check("python_sees_entry_and_leaf", raw.headers["assay-entry"].isdigit() and len(raw.headers["assay-leaf"]) == 64)
    parts = client.chat.completions.create(model="slow-3-20", messages=messages, stream=True)
    text = "".join(p.choices[0].delta.content or "" for p in parts)
    check("python_chat_streamed", text == "w\u00f6rd0 w\u00f6rd1 w\u00f6rd2 ")
    check("python_completions", client.completions.create(model="ok", prompt="hi").choices[0].text == " Paris.")
    check("python_responses", client.responses.create(model="ok", input="hi").output_text == "Paris.")
    events = [e.type for e in client.responses.create(model="responses", input="hi", stream=True)]
    check("python_responses_streamed", events[-1] == "response.completed")
    vector = client.embeddings.create(model="ok", input=["hi"], encoding_format="float").data[0].embedding
    check("python_embeddings", vector == [0.25, -0.5])
    # What the configuration names, then what the upstream of "*" says of itself.
    names = [m.id for m in client.models.list()]
    check("python_models", names[0] == "named" and "stub-1" in names)
    check("python_model", client.models.retrieve("named").id == "named")
    try:
        client.chat.completions.create(model="400", messages=messages)
        check("python_error", False)
    except openai.BadRequestError as e:
        check("python_error", e.status_code == 400)


def anthropic_checks(client):
    messages = [{"role": "user", "content": "hi"}]
    answer = client.messages.create(model="ok", max_tokens=9, messages=messages)
    check("anthropic_messages", answer.content[0].text == "Paris." and answer.usage.output_tokens == 5)
    with client.messages.stream(model="messages", max_tokens=9, messages=messages) as stream:
        check("anthropic_messages_streamed", "".join(stream.text_stream) == "Paris.")
    stranger = client.copy(api_key="nonsense")
    anthropic_error("unauthenticated", anthropic.AuthenticationError, "authentication_error", "invalid_api_key",
                    lambda: stranger.messages.create(model="ok", max_tokens=9, messages=messages))
    anthropic_error("bad_request", anthropic.BadRequestError, "invalid_request_error", "invalid_type",
                    lambda: client.messages.create(model="ok", max_tokens=9, messages="hi"))
    anthropic_error("not_found", anthropic.NotFoundError, "not_found_error", "not_found", client.messages.batches.list)
    anthropic_error("too_large", anthropic.APIStatusError, "request_too_large", "invalid_request",
                    lambda: client.messages.create(model="x" * (300 << 10), max_tokens=9, messages=messages))
    anthropic_error("no_engine", anthropic.InternalServerError, "api_error", "no_engine",
                    lambda: client.messages.count_tokens(model="ok", messages=messages))
    anthropic_error("upstream_failed", anthropic.InternalServerError, "api_error", "upstream_failed",
                    lambda: client.messages.create(model="early", max_tokens=9, messages=messages))


def anthropic_error(name, kind, type, code, ask):
    try:
        ask()
        check(f"anthropic_error_{name}", False)
    except kind as e:
        check(f"anthropic_error_{name}", e.type == type and e.error_code == code and e.api_message and
              not e.api_message.startswith("{"))


CITIES = ["Orrin", "Ford"]
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {
    "type": "object", "properties": {"city": {"type": "string", "enum": CITIES}}, "required": ["city"]}}}


class Weather(pydantic.BaseModel):
    city: typing.Literal["Orrin", "Ford"]


class Bird(pydantic.BaseModel):
    name: typing.Literal["heron", "owl"]
    seen: bool
    note: str | None = pydantic.Field(max_length=12)


class Walker(pydantic.BaseModel):
    kind: typing.Literal["walker"]
    steps: int = pydantic.Field(ge=1, le=99)


class Boat(pydantic.BaseModel):
    kind: typing.Literal["boat"]


class Visit(pydantic.BaseModel):
    place: typing.Literal["mill", "ford"]
    birds: typing.Annotated[list[Bird], pydantic.Field(min_length=2, max_length=2)]


class Ringing(pydantic.BaseModel):
    day: datetime.date
    ring: str = pydantic.Field(pattern=r"^[A-Z]{2}-\d{3}$")
    weight: float = pydantic.Field(gt=0, lt=9, multiple_of=0.5)
    by: typing.Annotated[Walker | Boat, pydantic.Field(discriminator="kind")]


# A model whose token 3 is a whole call, so that a bias on it has the model call.
TOOL_TEMPLATE = ("{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"
                 "{% if tools %}{{ tools[0].function.name }}<tool_call>{% endif %}")


def engine_chat_checks(client):
    messages = [{"role": "user", "content": "Where does the heron live?"}]
    ask = {"model": "orrin", "messages": messages, "max_tokens": 24, "seed": 5}
    answer = client.chat.completions.create(**ask, n=2, logprobs=True, top_logprobs=3)
    texts = [c.message.content for c in answer.choices]
    check("engine_two_answers", len(texts) == 2 and all(texts) and answer.usage.completion_tokens > 2)
    first = answer.choices[0].logprobs.content
    check("engine_logprobs", "".join(t.token for t in first) == texts[0] and len(first[0].top_logprobs) == 3)
    streamed, usage = ["", ""], None
    for part in client.chat.completions.create(**ask, n=2, stream=True, stream_options={"include_usage": True}):
        usage = part.usage or usage
        for c in part.choices:
            streamed[c.index] += c.delta.content or ""
    check("engine_two_answers_streamed", streamed == texts and usage.total_tokens == answer.usage.total_tokens)
    ids = client.chat.completions.create(**ask, extra_body={"return_token_ids": True}).choices[0].token_ids
    check("engine_token_ids", len(ids) > 2)
    parts = client.completions.create(model="orrin", prompt=["Once", "The"], max_tokens=4, logprobs=1, stop=["zz"])
    check("engine_completions", [c.index for c in parts.choices] == [0, 1] and parts.choices[1].logprobs.tokens)
    echo = client.completions.create(model="orrin", prompt="Once upon", max_tokens=0, echo=True, logprobs=1).choices[0]
    check("engine_echo", echo.text == "Once upon" and echo.logprobs.token_logprobs[0] is None
          and all(p < 0 for p in echo.logprobs.token_logprobs[1:]) and "".join(echo.logprobs.tokens) == echo.text)
    best = client.completions.create(model="orrin", prompt="Once", n=2, best_of=4, max_tokens=3)
    check("engine_best_of", len(best.choices) == 2 and best.usage.completion_tokens > 6)
    held = client.chat.completions.create(**ask, response_format={"type": "json_object"}).choices[0]
    text = held.message.content
    check("engine_json_object", text.lstrip().startswith("{") and (
        held.finish_reason != "stop" or isinstance(json.loads(text), dict)))
    parsed = client.chat.completions.parse(**{**ask, "max_tokens": 300}, response_format=Visit).choices[0].message.parsed
    check("engine_parsed_answer", parsed.place in ("mill", "ford") and len(parsed.birds) == 2)
    held = client.chat.completions.parse(**{**ask, "max_tokens": 240}, response_format=Ringing).choices[0]
    parsed = held.message.parsed  # pydantic has judged the pattern and the bounds
    check("engine_parsed_patterns_and_bounds", parsed.day.year > 0 and parsed.by.kind in ("walker", "boat"))
    pattern = {"type": "object", "properties": {"a": {"type": "string", "pattern": r"\bx"}}}
    for param, more in (("tools", {"tools": [WEATHER]}),
                        ("response_format.json_schema.schema#/properties/a/pattern", {"response_format": {
                            "type": "json_schema", "json_schema": {"name": "x", "schema": pattern}}}),
                        ("messages", {"messages": [{"role": "user", "content": "a " * 4000}]})):
        try:
            client.chat.completions.create(**{**ask, **more})
            check(f"engine_names_{param}", False)
        except openai.BadRequestError as e:
            check(f"engine_names_{param}", e.param == param)


def engine_other_checks(client):
    texts = ["the mill", "the heron"]
    plain = client.embeddings.create(model="orrin", input=texts, encoding_format="float").data
    packed = client.embeddings.create(model="orrin", input=texts).data  # the client asks for base64
    check("engine_embeddings", [len(d.embedding) for d in plain] == [128, 128]
          and all(abs(a - b) < 1e-6 for p, q in zip(plain, packed) for a, b in zip(p.embedding, q.embedding)))
    ask = {"model": "orrin", "input": "Who lives in the mill?", "max_output_tokens": 16, "temperature": 0}
    whole = client.responses.create(**ask, instructions="Answer shortly.")
    check("engine_responses", whole.output_text and whole.status in ("completed", "incomplete"))
    with client.responses.stream(**ask) as stream:
        types = [e.type for e in stream]
    check("engine_responses_streamed", types[0] == "response.created" and "response.output_text.delta" in types
          and types[-1] in ("response.completed", "response.incomplete"))


def engine_tool_checks(client):
    ask = {"model": "tools", "messages": [{"role": "user", "content": "a5"}], "tools": [WEATHER], "max_tokens": 1,
           "logit_bias": {"3": 100}}
    choice = client.chat.completions.create(**ask).choices[0]
    call = choice.message.tool_calls[0]
    check("engine_tool_call", choice.finish_reason == "tool_calls" and call.function.name == "weather"
          and json.loads(call.function.arguments) == {"city": "Orrin"})
    with client.chat.completions.stream(**ask) as stream:
        last = stream.get_final_completion().choices[0]
    check("engine_tool_call_streamed", last.message.tool_calls[0].function.arguments == call.function.arguments)
    ask["messages"] += [choice.message.model_dump(exclude_none=True),
                        {"role": "tool", "tool_call_id": call.id, "content": "mist"}]
    held = dict(ask, max_tokens=100, logit_bias={"10": -100, "11": -100}, messages=ask["messages"][:1])
    for name, wanted in (("required", "required"),
                         ("named", {"type": "function", "function": {"name": "weather"}})):
        call = client.chat.completions.create(**held, tool_choice=wanted).choices[0].message.tool_calls[0]
        check(f"engine_tool_call_{name}", call.function.name == "weather"
              and json.loads(call.function.arguments)["city"] in CITIES)
    short = dict(held, n=8, max_tokens=115, tool_choice="required",
                 tools=[{"type": "function", "function": {"name": "f"}}])
    several, single = ([choice.message.tool_calls for choice in client.chat.completions.create(
        **short, parallel_tool_calls=parallel).choices] for parallel in (True, False))
    check("engine_tool_calls_required", all(c.function.name == "f" and c.function.arguments == "{}"
                                            for calls in several + single for c in calls)
          and {len(c) for c in several} == {1, 2} and {len(c) for c in single} == {1})
    strict = dict(ask, tools=[openai.pydantic_function_tool(Weather, name="weather")], messages=ask["messages"][:1])
    parsed = client.chat.completions.parse(**{**strict, "max_tokens": 2, "parallel_tool_calls": False}).choices[0].message
    check("engine_strict_tool_of_the_models_choice", parsed.tool_calls[0].function.parsed_arguments == Weather(city="Orrin"))
    strict.update(tool_choice={"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [
        {"type": "function", "function": {"name": "weather"}}]}}, max_tokens=100, logit_bias=held["logit_bias"],
        parallel_tool_calls=False)
    with client.chat.completions.stream(**strict) as stream:
        call = stream.get_final_completion().choices[0].message.tool_calls[0]
    check("engine_allowed_tool_streamed", call.function.parsed_arguments.city in CITIES)
    older = client.chat.completions.create(**{k: v for k, v in ask.items() if k != "tools"},
                                           functions=[WEATHER["function"]]).choices[0]
    check("engine_function", older.finish_reason == "function_call" and older.message.function_call.name == "weather")
    alone = dict(ask, max_tokens=3, messages=ask["messages"][:1])
    several = client.chat.completions.create(**alone).choices[0].message.tool_calls
    one = client.chat.completions.create(**alone, parallel_tool_calls=False).choices[0].message.tool_calls
    check("engine_tool_calls_one_at_a_time", len(several) == 3 and len(one) == 1)
    ask["tool_choice"] = "none"
    check("engine_tool_result", client.chat.completions.create(**ask).choices[0].message.content is not None)
    flat = {"type": "function", **WEATHER["function"]}
    answer = client.responses.create(model="tools", input="a5", tools=[flat], max_output_tokens=1,
                                     extra_body={"logit_bias": {"3": 100}})
    parsed = client.responses.parse(model="tools", input="a5", tools=[openai.pydantic_function_tool(Weather, name="weather")],
                                    tool_choice="required", max_output_tokens=100, parallel_tool_calls=False,
                                    extra_body={"logit_bias": held["logit_bias"]}).output[0]
    check("engine_responses_parsed_tool", parsed.parsed_arguments.city in CITIES)
    check("engine_responses_tool_call", answer.output[0].type == "function_call" and answer.output[0].name == "weather")


def engine_message_checks(client):
    ask = {"model": "orrin", "max_tokens": 16, "system": "Answer shortly.",
           "messages": [{"role": "user", "content": "Who lives in the mill?"}]}
    answer = client.messages.create(**ask)
    check("anthropic_engine", answer.content[0].text and answer.usage.output_tokens > 1)
    counted = client.messages.count_tokens(**{k: v for k, v in ask.items() if k != "max_tokens"})
    check("anthropic_engine_counts_tokens", counted.input_tokens == answer.usage.input_tokens)
    with client.messages.stream(**ask) as stream:
        text, last = "".join(stream.text_stream), stream.get_final_message()
    check("anthropic_engine_streamed", text == answer.content[0].text == last.content[0].text)
    tool = {"name": "weather", "input_schema": WEATHER["function"]["parameters"]}
    with client.messages.stream(model="tools", max_tokens=1, messages=[{"role": "user", "content": "a5"}], tools=[tool],
                                extra_body={"logit_bias": {"3": 100}}) as stream:
        last = stream.get_final_message()
    @anthropic.beta_tool
    def weather(city: str) -> str:
        """The weather of a city."""
        return f"mist in {city}"
    turns = list(client.beta.messages.tool_runner(model="tools", max_tokens=1, messages=[{"role": "user", "content": "a5"}],
                                                  tools=[weather], max_iterations=2, extra_body={"logit_bias": {"3": 100}}))
    check("anthropic_engine_tool_runner", [t.content[0].type for t in turns] == ["tool_use", "tool_use"])
    short = {"name": "f", "input_schema": {"type": "object", "properties": {}, "additionalProperties": False}}
    uses = [[b.input for b in client.messages.create(
                model="tools", max_tokens=115, messages=[{"role": "user", "content": "a5"}], tools=[short],
                tool_choice={"type": "any", "disable_parallel_tool_use": serial},
                extra_body={"seed": seed, "logit_bias": {"10": -100, "11": -100}}).content if b.type == "tool_use"]
            for serial in (False, True) for seed in range(6)]
    check("anthropic_engine_any_tool", all(use == {} for use in sum(uses, []))
          and {len(u) for u in uses[:6]} == {1, 2} and {len(u) for u in uses[6:]} == {1})
    for name, kind, type, code, more in (
            ("model", anthropic.NotFoundError, "not_found_error", "model_not_found", {"model": "other"}),
            ("field", anthropic.BadRequestError, "invalid_request_error", "invalid_type", {"system": 5}),
            ("thread", anthropic.BadRequestError, "invalid_request_error", "thread_unsupported_request",
             {"extra_body": {"thread": {"type": "create"}}})):
        anthropic_error(f"engine_{name}", kind, type, code, lambda: client.messages.create(**{**ask, **more}))
    check("anthropic_engine_tool", last.stop_reason == "tool_use" and last.content[0].input == {"city": "Orrin"})


def engine_checks(folder):
    log, model = os.path.join(folder, "engine"), os.path.join(folder, "tools.gguf")
    vkey = re.search(r"verifier key (\S+)", run(ASSAY, "log", "init", log, "--origin", "example.org/e")).group(1)
    run(os.path.join(BUILD, "fixtures/make/family_model"), "llama", model, TOOL_TEMPLATE,
        '<tool_call>{"name":"weather","arguments":{"city":"Orrin"}}</tool_call>',
        " \n" + "".join(map(chr, range(33, 127))))
    made = run(ASSAY, "serve", "--make-key", "root")
    key, entry = re.search(r"key: (\S+)\n.*?configuration:\n(.*)", made, re.S).groups()
    server = Server(folder, f"""listen: 127.0.0.1:0
log: {log}
engines:
  - {{name: bundled, path: {os.path.join(HERE, "../../models/bundled/orrin-q8_0.gguf")}}}
  - {{name: small, path: {model}}}
models:
  - {{name: orrin, backends: [{{upstream: bundled}}]}}
  - {{name: tools, backends: [{{upstream: small}}]}}
keys:
{entry}    admin: true
""")
    base = f"http://127.0.0.1:{server.port}/v1"
    client = openai.OpenAI(api_key=key, base_url=base, max_retries=0)
    engine_chat_checks(client)
    engine_other_checks(client)
    engine_tool_checks(client)
    engine_message_checks(anthropic.Anthropic(api_key=key, base_url=base[:-3], max_retries=0))
    javascript_checks(base, key, "engine")
    answer = client.chat.completions.create(model="orrin", messages=[{"role": "user", "content": "hi"}], max_tokens=8)
    told = client.post(f"/replay/{answer.id}", cast_to=object)
    check("engine_replay", told["result"] == "reproduced" and answer.choices[0].message.content not in json.dumps(told))
    check("engine_stops", server.stop())
    check("engine_log_verifies", subprocess.run([ASSAY, "log", "verify", log, "--key", vkey],
                                                capture_output=True).returncode == 0)


def javascript_checks(base, key, part="proxy"):
    folder = os.path.join(os.getcwd(), "build", "node")
    os.makedirs(folder, exist_ok=True)
    try:
        if not os.path.exists(os.path.join(folder, "node_modules", "openai")):
            subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund", "openai@6.49.0"],
                           cwd=folder, check=True, capture_output=True)
        script = os.path.join(folder, "serve_clients.mjs")
        with open(os.path.join(HERE, "serve_clients.mjs")) as f, open(script, "w") as to:
            to.write(f.read())
        out = subprocess.run(["node", script, part], env=dict(os.environ, BASE=base, KEY=key), capture_output=True,
                             text=True, timeout=60).stdout
    except (OSError, subprocess.CalledProcessError):
        print("javascript client skipped: npm or its registry is not there")
        return
    for ok, name in re.findall(r"^\[ +(OK|FAILED) +\] (.*)$", out, re.M):
        check(name, ok == "OK")
    check(f"javascript_ran_{part}", "javascript_error" in out)


def receipt_checks(folder, base, key, vkey):
    client = openai.OpenAI(api_key=key, base_url=base, max_retries=0)
    raw = client.chat.completions.with_raw_response.create(model="ok", messages=[])
    ask = urllib.request.Request(f"{base}/receipts/{raw.headers['assay-entry']}",
                                 headers={"Authorization": f"Bearer {key}"})
    path = os.path.join(folder, "call.receipt.json")
    with urllib.request.urlopen(ask) as answer, open(path, "wb") as f:
        f.write(answer.read())
    check("receipt_verifies", subprocess.run([ASSAY, "verify", path, "--key", vkey], capture_output=True).returncode == 0)
    with open(path, "rb") as f:
        text = f.read()
    with open(path, "wb") as f:
        f.write(text.replace(b"Paris", b"Lyons", 1))
    check("changed_receipt_does_not",
          subprocess.run([ASSAY, "verify", path, "--key", vkey], capture_output=True).returncode == 4)


def certificates(folder):
    def at(name):
        return os.path.join(folder, name)
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
        "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", at("s.key"), "-out", at("s.pem"))
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
        "-subj", "/CN=client", "-keyout", at("c.key"), "-out", at("c.pem"))
    der = subprocess.run(["openssl", "x509", "-in", at("c.pem"), "-outform", "DER"], check=True,
                         capture_output=True).stdout
    import hashlib
    return at, hashlib.sha256(der).hexdigest()


def shown_certificate(port, at):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.load_cert_chain(at("c.pem"), at("c.key"))
    with socket.create_connection(("127.0.0.1", port), 5) as plain, context.wrap_socket(plain) as tls:
        return tls.getpeercert(binary_form=True)


def reload_checks(server, at):
    """SIGHUP takes up a new certificate for new connections, the administrators' too; a broken one changes nothing."""
    ports = (server.port, server.admin_port)
    before = [shown_certificate(p, at) for p in ports]
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
        "-subj", "/CN=renewed", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", at("s.key"), "-out", at("s.pem"))
    server.process.send_signal(signal.SIGHUP)
    for _ in range(100):
        after = [shown_certificate(p, at) for p in ports]
        if after[0] != before[0] and after[1] != before[1]:
            break
        time.sleep(0.05)
    renewed = ssl.PEM_cert_to_DER_cert(open(at("s.pem")).read())
    check("renewed_certificate_is_shown_after_sighup", after[0] == renewed)
    check("renewed_certificate_is_shown_to_administrators", after[1] == renewed)
    with open(at("s.pem"), "w") as f:
        f.write("no certificate\n")
    server.process.send_signal(signal.SIGHUP)
    for line in server.process.stderr:
        if json.loads(line).get("event") == "reload_refused":
            break
    check("broken_certificate_changes_nothing", [shown_certificate(p, at) for p in ports] == after)


def tls_checks(folder, config):
    at, fingerprint = certificates(folder)
    text = config + (f"admin_listen: 127.0.0.1:0\ntls: {{certificate: {at('s.pem')}, key: {at('s.key')}, client_ca: {at('c.pem')}}}\n"
                     f"keys:\n  - {{name: client, certificate_sha256: {fingerprint}}}\n")
    server = Server(folder, text)
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = ssl.create_default_context(cafile=at("s.pem"))
        context.minimum_version = context.maximum_version = version
        context.load_cert_chain(at("c.pem"), at("c.key"))
        answer = httpx.Client(verify=context).post(f"https://127.0.0.1:{server.port}/v1/chat/completions",
                                                   json={"model": "ok", "messages": []})
        check(f"client_certificate_over_{version.name}", answer.json().get("id", "").startswith("chatcmpl"))
    for name, change in (("no_client_certificate_is_refused", {}), ("tls_1_1_is_refused", {"old": True})):
        context = ssl.create_default_context(cafile=at("s.pem"))
        if change:
            context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
        try:
            httpx.Client(verify=context).get(f"https://127.0.0.1:{server.port}/health")
            check(name, False)
        except (httpx.TransportError, ssl.SSLError):
            check(name, True)
    reload_checks(server, at)
    check("tls_server_stops", server.stop())


def main():
    upstream = subprocess.Popen([os.path.join(BUILD, "fixtures/make/upstream"), "18790"])
    try:
        with tempfile.TemporaryDirectory() as folder:
            log = os.path.join(folder, "log")
            vkey = re.search(r"verifier key (\S+)", run(ASSAY, "log", "init", log, "--origin", "example.org/c")).group(1)
            made = run(ASSAY, "serve", "--make-key", "alice")
            key, entry = re.search(r"key: (\S+)\n.*?configuration:\n(.*)", made, re.S).groups()
            config = (f"listen: 127.0.0.1:0\nlog: {log}\nupstreams: [{{name: stub, url: 'http://127.0.0.1:18790/v1'}}]\n"
                      "models: [{name: named, backends: [{upstream: stub}]}, {name: '*', backends: [{upstream: stub}]}]\n"
                      "limits: {body: 256 KiB}\n")
            server = Server(folder, config + "keys:\n" + entry)
            base = f"http://127.0.0.1:{server.port}/v1"
            openai_checks(openai.OpenAI(api_key=key, base_url=base, max_retries=0))
            anthropic_checks(anthropic.Anthropic(api_key=key, base_url=base[:-3], max_retries=0))
            javascript_checks(base, key)
            receipt_checks(folder, base, key, vkey)
            check("server_stops", server.stop())
            tls_checks(folder, config)
            engine_checks(folder)
            check("log_verifies", subprocess.run([ASSAY, "log", "verify", log, "--key", vkey],
                                                 capture_output=True).returncode == 0)
    finally:
        for process in [upstream, *Server.running]:
            process.kill()
    print(f"{passed} passed, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
