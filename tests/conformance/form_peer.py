#!/usr/bin/env python3
"""Forms against jsonschema: what a schema's form lets through, the schema allows.

Values are drawn at random through the form, octet by octet, and judged by
jsonschema with exact decimals and with formats read by Python's own modules.
The other way round, numbers and strings made at random must be let through
just when they are allowed, as far as docs/engine.md says that they are written.
"""

import datetime
import decimal
import ipaddress
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import uuid

from jsonschema import Draft202012Validator, FormatChecker, validators

BUILD = pathlib.Path(os.environ.get("BUILD", "build/release"))
draw = random.Random(20261126)
passed = failed = 0


def check(ok, what):
    global passed, failed
    if ok:
        passed += 1
    else:
        failed += 1
        print("form_peer:", what)


# ---- the judge ----

formats = FormatChecker(formats=())


def judges(name, of=str):
    """A function of values of one type; of others a format says nothing."""
    return lambda f: formats.checks(name, raises=ValueError)(lambda v: not isinstance(v, of) or f(v))


@judges("date-time")
def date_time(s):
    return datetime.datetime.fromisoformat(s.replace("Z", "+00:00")).tzinfo is not None and "T" in s


@judges("date")
def date(s):
    return datetime.date.fromisoformat(s) and len(s) == 10


@judges("time")
def time(s):
    return datetime.time.fromisoformat(s.replace("Z", "+00:00")).tzinfo is not None


@judges("duration")
def duration(s):
    full = r"P(\d+W|(?=.)(\d+Y)?(\d+M)?(\d+D)?(T(?=.)(\d+H)?(\d+M)?(\d+S)?)?)"
    gap = re.search(r"Y\d+D|H\d+S", s)
    return re.fullmatch(full, s) and not gap


def is_host(s):
    return len(s) <= 253 and all(
        re.fullmatch(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)", label) and label[2:4] != "--"
        for label in s.split("."))


judges("hostname")(is_host)


@judges("email")
def email(s):
    local, _, host = s.partition("@")
    return (len(s) <= 254 and 0 < len(local) <= 64 and is_host(host) and
            re.fullmatch(r"[\w!#$%&'*+/=?^`{|}~-]+(\.[\w!#$%&'*+/=?^`{|}~-]+)*", local, re.A))


@judges("ipv4")
def ipv4(s):
    return ipaddress.IPv4Address(s)


@judges("ipv6")
def ipv6(s):
    return ipaddress.IPv6Address(s)


@judges("uuid")
def is_uuid(s):
    return uuid.UUID(s) and s.count("-") == 4 and len(s) == 36


@judges("uri")
def uri(s):
    return re.fullmatch(r"[A-Za-z][\w+.-]*://[\w.-]+(:\d+)?[!-~]*", s, re.A) and \
        not re.search(r"%(?![0-9A-Fa-f]{2})", s)


@judges("int32", int)
def int32(n):
    return -2**31 <= n < 2**31


def pattern(validator, expression, instance, schema):
    """As ECMA 262 has it: $ is the very end, and classes are of ASCII."""
    if isinstance(instance, str) and not search(expression, instance):
        yield from validators.Draft202012Validator.VALIDATORS["pattern"](
            validator, r"(?!)", instance, schema)


SPACE = r"\t-\r \xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
ECMA = {".": r"[^\n\r\u2028\u2029]", "$": r"\Z", "(?<": "(?P<", r"\s": f"[{SPACE}]", r"\S": f"[^{SPACE}]"}


def search(expression, text):
    tokens = r"\\.|\[(?:\\.|[^\]])*\]|\(\?<|[.$]"
    inside = lambda t: t[0].replace(r"\s", SPACE) if t[0][0] == "[" else ECMA.get(t[0], t[0])
    return re.search(re.sub(tokens, inside, expression), text, re.A)


Judge = validators.extend(Draft202012Validator, {"pattern": pattern})


def read(text):
    return json.loads(text, parse_float=decimal.Decimal, parse_int=decimal.Decimal)


def exact(text):
    """Whole numbers as int, as jsonschema wants them; others exactly."""
    return json.loads(text, parse_float=decimal.Decimal)


# ---- the forms ----

process = subprocess.Popen([str(BUILD / "conformance/form_stdin")], stdin=subprocess.PIPE,
                           stdout=subprocess.PIPE, text=True)


def ask(schema, values=0, texts=()):
    line = schema if isinstance(schema, str) else json.dumps(schema)
    process.stdin.write('{"schema":%s,"values":%d,"texts":%s}\n' % (line, values, json.dumps(list(texts))))
    process.stdin.flush()
    return json.loads(process.stdout.readline())


def member(schema, name="a"):
    return {"type": "object", "properties": {name: schema}, "required": [name]}


def allowed(schema, text):
    try:
        value = exact(text)
    except ValueError as e:
        return str(e)
    errors = list(Judge(exact(json.dumps(schema)), format_checker=formats).iter_errors(value))
    return errors[0].message[:200] if errors else None


def drawn_values_are_allowed(schema, values=40, made=True):
    answer = ask(schema, values)
    if answer["where"]:
        check(not made, f"{json.dumps(schema)[:300]}: {answer['where']} {answer['why']}")
        return
    for text in answer["values"]:
        wrong = "no way on" if text is None else allowed(schema, text)
        check(wrong is None, f"{json.dumps(schema)[:300]}: {text!r}: {wrong}")


# ---- strings ----

FORMATS = ["date-time", "date", "time", "duration", "email", "hostname", "ipv4", "ipv6", "uuid", "uri"]
PATTERNS = [
    r"^\d{3}-\d{2}-\d{4}$", r"^[A-Z]{2,5}$", r"ab", r"^a|b$", r"^(foo|bar|ba[zq]+)*$", r"^\w+@\w+\.\w{2,}$",
    r"^[^a-z]{1,4}$", r"^.$", r"^a.{2,3}z$", r"^[é-ü]+$", r"^(?:a|ab)(?:c|bcd)$", r"^a?a?a?aaa$", r"\d+(\.\d+)?",
    r"^\s*x\s*$", r"^[\w.-]+$", r"^\S\D\W$", r"^(a{2,3}){2}$", r"^$", r"^\u00e9\x41\/\.\-$", r"^[^\d\s]{2}$",
    r"^#[0-9a-fA-F]{6}$", r"^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)$", r"^(?<year>\d{4})$", "^[\U0001f600-\U0001f64f]$",
    r"^a*?b+?$", r"^(|x)y$", r"^[\"\\]+$", r"^(a|b|ab)*c{0,2}$", r"xx", r"^[a-c]{0,3}[b-d]{2}$"]
PATTERNS += [  # which look ahead
    r"^(?=.*[A-Z])(?=.*\d).{3,}$", r"^(?!.*--)[a-z-]+$", r"^(?!^[-+.]*$)[+-]?0*\d*\.?\d*$", r"(?!a)[ab]c?$", r"^a(?=b)",
    r"^(?!\.)(?!.*\.\.)[A-Za-z0-9.]*[a-z]@[a-z0-9-]+\.[a-z]{2,}$", r"^[ab]+(?!.*0)[^b]+$", r"^(?=a|b$)[ab]{1,2}$", r"x(?!y)"]
REFUSED = [r"\bword", r"(a)\1", r"((?=a)b)", r"(?=a)*b", r"^(?:(?!x).)+$", r"(?<=a)b", r"^\p{L}+$", r"a(^b)", r"(", r"a)", r"[z-a]", r"*a",
           r"a{3,2}", r"a{,3}", r"(?i)a", r"\q", r"[", r"a{99999999}", r"^(.{0,200}x.{0,200}){200}$", r"a$b"]


def strings():
    for name in FORMATS:
        drawn_values_are_allowed(member({"type": "string", "format": name}), 60)
    for expression in PATTERNS:
        schema = member({"type": "string", "pattern": expression})
        drawn_values_are_allowed(schema, 25)
        texts = ["".join(draw.choice('abcdxyz019.-_ @#"\\\n\u00e9\u2028\U0001f600A') for _ in range(draw.randrange(9)))
                 for _ in range(300)]
        taken = ask(schema, 0, [json.dumps({"a": t}, ensure_ascii=False).replace("\\u2028", "\u2028")
                                for t in texts])["takes"]
        for text, took in zip(texts, taken):
            check(took == bool(search(expression, text)), f"{expression}: {text!r}: {took}")
    for expression in REFUSED:
        answer = ask(member({"type": "string", "pattern": expression}))
        check(answer["where"] == "#/properties/a/pattern", f"{expression}: {answer}")
    for schema in ({"pattern": "^[a-z]*$", "minLength": 3, "maxLength": 5}, {"format": "date", "pattern": "^2024-02-"},
                   {"pattern": "[0-9]", "minLength": 2, "maxLength": 200}, {"format": "hostname", "maxLength": 12},
                   {"pattern": "^\\D*$", "maxLength": 30}, {"enum": ["aa", "b", 1, "ccc"], "pattern": "^.{2,}$"}):
        drawn_values_are_allowed(member(schema))
    answer = ask(member({"type": "string", "pattern": "^a{3}$", "maxLength": 2}))
    check(answer["why"] == "allows no value", answer)


# ---- numbers ----

def number(least, most, digits):
    n = draw.randrange(least, most + 1)
    if digits == 0:
        return str(n)
    sign = "-" if n < 0 else ""
    return f"{sign}{abs(n) // 10**digits}.{abs(n) % 10**digits:0{digits}d}"


BOUNDS = ["minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"]


def numbers():
    for i in range(150):
        whole = draw.random() < 0.5
        digits = 0 if whole else draw.randrange(4)
        schema = {"type": "integer" if whole else "number"}
        for key in draw.sample(BOUNDS, draw.randrange(3)):
            schema[key] = exact(number(-1500, 1500, digits))
        if draw.random() < 0.4:
            schema["multipleOf"] = exact(draw.choice(["1", "2", "3", "7", "10", "0.5", "0.01", "25", "1.5", "12e-1", "1E2"]))
        text = json.dumps(member(schema), default=lambda d: float(d))
        answer = ask(text, 25)
        texts = {number(-2000, 2000, draw.choice([0, 0, 1, 2, 3, 5])) for _ in range(150)} - {"-0", "-0.0"}
        texts = [t for t in texts if decimal.Decimal(t) or not t.startswith("-")]
        judge = Judge(exact(text))
        fits = {t: judge.is_valid(exact('{"a":%s}' % t)) and not (whole and "." in t) for t in texts}
        if answer["where"]:
            check(answer["why"] == "allows no value" and not any(fits.values()), f"{text}: {answer}")
            continue
        for value in answer["values"]:
            check(value is not None and judge.is_valid(exact(value)), f"{text}: {value}")
        taken = ask(text, 0, ['{"a":%s}' % t for t in texts])["takes"]
        for t, took in zip(texts, taken):
            scale = -decimal.Decimal(str(schema.get("multipleOf", 1))).normalize().as_tuple().exponent
            written = "multipleOf" not in schema or len(t.partition(".")[2]) <= max(scale, 0)
            check(took == (fits[t] and written), f"{text}: {t}: {took}")
    for schema in ({"type": "integer", "format": "int32"}, {"type": "integer", "minimum": -2**63, "maximum": 2**63 - 1},
                   {"type": "number", "exclusiveMinimum": 0}, {"type": ["number", "null"], "maximum": -0.001},
                   {"minimum": 1e-3, "maximum": 1e3}, {"enum": [1, 2.5, 7, 1e2, "a"], "maximum": 5}):
        drawn_values_are_allowed(member(schema))
    for key, value in (("minimum", 1e300), ("multipleOf", 0), ("multipleOf", -1), ("multipleOf", 1e-30),
                       ("maximum", "1"), ("exclusiveMinimum", True)):
        answer = ask(member({"type": "number", key: value}))
        check(answer["where"] == "#/properties/a/" + key, f"{key} {value}: {answer}")


# ---- what is made of them ----

LEAVES = [{"type": "string"}, {"type": "integer", "minimum": 3}, {"type": "boolean"}, {"type": "null"},
          {"type": "number", "multipleOf": 0.25, "maximum": 9}, {"type": "string", "format": "date"},
          {"enum": ["x", 1, None]}, {"const": {"k": [1]}}, {"type": "string", "pattern": "^[ab]{1,3}$"},
          {"enum": ["a", "b"], "const": "b"}, {"type": ["integer", "string"], "maximum": 5, "maxLength": 3}]


def schema_of(depth):
    kind = draw.randrange(7) if depth else 0
    some = lambda: schema_of(depth - 1)
    if kind <= 1:
        return draw.choice(LEAVES)
    if kind == 2:
        names = draw.sample("abcdefg", draw.randrange(1, 4))
        return {"type": "object", "properties": {n: some() for n in names}, "additionalProperties": False,
                "required": draw.sample(names, draw.randrange(len(names) + 1))}
    if kind == 3:
        return {"type": "array", "items": some(), "minItems": draw.randrange(2), "maxItems": 3}
    if kind == 4:
        return {"anyOf": [some() for _ in range(draw.randrange(1, 4))]}
    if kind == 5:
        return {"type": "array", "prefixItems": [some(), some()], "minItems": 2, "items": False}
    return {"type": "object", "patternProperties": {"^[xy]{1,2}$": some()}, "additionalProperties": False}


def parts():
    """Schemas that may hold together: of the same members, types and bounds."""
    some = [{"type": "object"}, {"required": draw.sample("abc", 1)}, {"additionalProperties": draw.choice([False, True, {"type": ["integer", "null"]}])},
            {"properties": {n: draw.choice([{"type": "integer"}, {"type": ["integer", "null"]}, {"enum": [1, None, "x"]}, {"type": "integer", "minimum": 2},
                                            {"type": "array", "items": {"type": "integer"}, "maxItems": 3}, {"const": 1}, {}])
                            for n in draw.sample("abcd", draw.randrange(1, 4))}}]
    return {k: v for part in draw.sample(some, draw.randrange(1, 4)) for k, v in part.items()}


def merged_schemas():
    """allOf and $ref: what is let through, and of small values what is not, is as jsonschema has it."""
    values = [1, 3, None, "x", [2], [2, None]]
    made = 0
    for _ in range(250):
        base, *rest = [parts() for _ in range(draw.randrange(2, 4))]
        schema = {"type": "object", "allOf": [{"$ref": "#/$defs/base"}, *rest], "$defs": {"base": base}}
        answer = ask(schema, 10)
        if answer["where"]:
            continue
        made += 1
        for text in answer["values"]:
            wrong = "no way on" if text is None else allowed(schema, text)
            check(wrong is None, f"{json.dumps(schema)}: {text!r}: {wrong}")
        order = dict.fromkeys(n for p in (base, *rest) for n in p.get("properties", ()))
        objects = [{n: draw.choice(values) for n in order if draw.random() < 0.7} for _ in range(60)] if order else []
        texts = [json.dumps(o) for o in objects]
        for text, took in zip(texts, ask(schema, 0, texts)["takes"]):
            missing = any(r not in order for p in (base, *rest) for r in p.get("required", ()))
            check(took == (allowed(schema, text) is None) or missing, f"{json.dumps(schema)}: {text}: {took}")
    check(made > 120, f"{made} of 250 schemas were made")


def left_out():
    """Constants that not leaves out: what is let through is just what jsonschema lets through."""
    values = ["", "a", "ab", "b", "\u00e9", 0, 1, 2, 3, -1, 1.5, None, True, False, [], [1], {"k": 1}]
    kinds = [{"type": "string", "maxLength": 2}, {"type": "string", "pattern": "^[ab]*$"}, {"type": ["string", "null", "boolean"]},
             {"type": "integer", "minimum": -1, "maximum": 3}, {"type": "number", "minimum": 0, "maximum": 0.5}, {"enum": values}]
    for _ in range(150):
        schema = member({**draw.choice(kinds), "not": draw.choice([{"enum": draw.sample(values, draw.randrange(1, 5))},
                                                                   {"const": draw.choice(values)}])})
        answer = ask(schema, 10)
        if answer["where"]:
            check(answer["where"] in ("#/properties/a/not", "#/properties/a/enum"), f"{schema}: {answer}")
            continue
        drawn_values_are_allowed(schema, 10)
        texts = [json.dumps({"a": v}, ensure_ascii=False) for v in values]
        for text, took in zip(texts, ask(schema, 0, texts)["takes"]):
            inner = isinstance(json.loads(text)["a"], (list, dict))  # written in one way alone
            check(took == (allowed(schema, text) is None) or inner, f"{json.dumps(schema)}: {text}: {took}")


def arrays():
    """uniqueItems and contains: just the arrays that jsonschema lets through."""
    words = ["a", "ab", "b", 1, 12, None, True]
    for i in range(120):
        some = draw.sample(words, draw.randrange(2, 6))
        items = draw.choice([{"enum": some}, {"enum": some}, {"type": "string", "maxLength": 2},
                             {"type": "integer", "minimum": 0, "maximum": 12}])
        schema = {"type": "array", "items": items, **draw.choice([{}, {"minItems": 1}, {"maxItems": 4}, {"minItems": 2, "maxItems": 3}])}
        if "enum" in items and draw.random() < 0.4:
            schema["uniqueItems"] = True
        else:
            pool = ["a", "ab", "zz"] if items.get("type") == "string" else [0, 1, 12] if "type" in items else words
            schema["contains"] = {"enum": draw.sample(pool, draw.randrange(1, 3))}
            schema.update(draw.choice([{}, {"minContains": 2}, {"maxContains": 2}, {"minContains": 0, "maxContains": 1},
                                       {"minContains": 1, "maxContains": 3}]))
        schema = member(schema)
        answer = ask(schema, 10)
        if answer["where"]:
            check(answer["why"].startswith("asks for"), f"{json.dumps(schema)}: {answer}")
            continue
        drawn_values_are_allowed(schema, 10)
        values = words + ["", "zz", 0, 5]
        texts = [json.dumps({"a": [draw.choice(some if "enum" in items and draw.random() < 0.9 else values)
                                   for _ in range(draw.randrange(6))]}) for _ in range(120)]
        for text, took in zip(texts, ask(schema, 0, texts)["takes"]):
            check(took == (allowed(schema, text) is None), f"{json.dumps(schema)}: {text}: {took}")


def event(kind, **rest):
    return {"type": "object", "properties": {"kind": {"const": kind}, **rest}, "required": ["kind", *rest]}


def whole_schemas():
    for _ in range(120):
        drawn_values_are_allowed(member(schema_of(3)), 8)
    tree = {"$ref": "#/$defs/t", "$defs": {"t": {
        "type": "object", "required": ["v", "next"], "additionalProperties": False,
        "properties": {"v": {"type": "integer", "minimum": 0}, "next": {"anyOf": [{"$ref": "#/$defs/t"}, {"type": "null"}]}}}}}
    drawn_values_are_allowed(tree)
    drawn_values_are_allowed(member({"oneOf": [event("a", n={"type": "integer"}), event("b", s={"type": "string"}),
                                               {"type": "null"}, {"enum": [1, 2]}]}))
    drawn_values_are_allowed(member({"type": "object", "propertyNames": {"pattern": "^[a-z]+$"},
                                     "additionalProperties": {"type": "number", "minimum": 0}}))
    drawn_values_are_allowed(member({"type": "object", "propertyNames": {"enum": ["red", "blue"]}}))
    tagged = lambda k: {"type": "object", "properties": {"n": {"type": "integer"}, "k": {"const": k, "default": k}}}
    drawn_values_are_allowed(member({"oneOf": [tagged("a"), tagged("b"), tagged("c")], "discriminator": {"propertyName": "k"}}))
    drawn_values_are_allowed(member({"type": "string", "anyOf": [{"type": "string", "format": "iri"}, {"type": "string", "enum": ["x"]}],
                                     "x-order": 1}))
    drawn_values_are_allowed({**member({"allOf": [{"title": "t"}, {"$ref": "#/$defs/a%20b/prefixItems/0"}]}), "$id": "https://e.org/",
                              "additionalProperties": {"type": "null"}, "$defs": {"a b": {"prefixItems": [{"type": "boolean"}]}}})
    drawn_values_are_allowed({"type": "object", "properties": {"a": {"type": "null"}}, "required": ["b", "a", "c"],
                              "additionalProperties": {"type": "integer", "minimum": 7}})
    drawn_values_are_allowed(member({"type": "object", "propertyNames": {"type": "string", "enum": ["x", "y"]},
                                     "additionalProperties": {"type": "number"}, "required": ["y", "x"]}))
    for kind, most in (("uri", 2083), ("date-time", 40), ("uuid", 36), ("uri", 15)):
        drawn_values_are_allowed(member({"type": "string", "format": kind, "minLength": 1, "maxLength": most}))
    for apart in ([{"type": "string"}, {"type": "string", "maxLength": 3}], [event("a"), event("a")],
                  [{"enum": [1]}, {"enum": [1.0]}], [{"minimum": 3}, {"type": "string"}], [{}, {"type": "null"}]):
        answer = ask(member({"oneOf": apart}))
        check(answer["where"] == "#/properties/a/oneOf", f"{apart}: {answer}")


strings()
numbers()
merged_schemas()
left_out()
arrays()
whole_schemas()
process.stdin.close()
process.wait()
print(f"{passed} passed, {failed} failed")
sys.exit(failed != 0)
