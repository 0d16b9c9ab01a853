/* Advisories of picklescan, fickling and modelscan, by the name that each is about. */
#include <string.h>

#include "support/hostile.h"

const struct hostile_name hostile_names[] = {
    {"CVE-2025-1716", "pip", "main"},
    {"CVE-2025-10157 (GHSA-f7qq)", "asyncio.unix_events", "_UnixSubprocessTransport._start"},
    {"CVE-2026-56315 (GHSA-g38g) uuid", "uuid", "_get_command_stdout"},
    {"CVE-2026-56315 (GHSA-g38g) imaplib", "imaplib", "IMAP4_stream"},
    {"CVE-2026-56315 (GHSA-g38g) osx", "_osx_support", "_read_output"},
    {"CVE-2026-56315 (GHSA-g38g) aix", "_aix_support", "_read_cmd_output"},
    {"CVE-2026-56315 (GHSA-g38g) pyrepl", "_pyrepl.pager", "pipe_pager"},
    {"CVE-2026-56315 (GHSA-g38g) test", "test.support.script_helper", "assert_python_ok"},
    {"CVE-2026-56304 (GHSA-m7j5)", "logging", "FileHandler"},
    {"GHSA-vvpj", "pkgutil", "resolve_name"},
    {"GHSA-9726 FileIO", "_io", "FileIO"},
    {"GHSA-9726 urlopen", "urllib.request", "urlopen"},
    {"GHSA-9m3x CodeType", "types", "CodeType"},
    {"GHSA-9m3x cloudpickle", "cloudpickle.cloudpickle", "_make_function"},
    {"GHSA-46h3 methodcaller", "operator", "methodcaller"},
    {"GHSA-955r attrgetter", "operator", "attrgetter"},
    {"GHSA-84r2 locate", "pydoc", "locate"},
    {"GHSA-4675", "ctypes", "CDLL"},
    {"GHSA-vqmv", "pty", "spawn"},
    {"GHSA-q77w", "asyncio", "create_subprocess_shell"},
    {"GHSA-m273", "distutils.file_util", "write_file"},
    {"GHSA-r8g5", "numpy.f2py.crackfortran", "getlincoef"},
    {"GHSA-49gj", "cProfile", "runctx"},
    {"GHSA-9w88", "cProfile", "run"},
    {"GHSA-7wx9", "profile", "Profile.run"},
    {"GHSA-6vqj", "profile", "run"},
    {"GHSA-x696", "profile", "Profile.runctx"},
    {"GHSA-5qwp", "trace", "Trace.run"},
    {"GHSA-g344", "trace", "Trace.runctx"},
    {"GHSA-fqq6", "doctest", "debug_script"},
    {"GHSA-xp4f", "ensurepip", "_run_pip"},
    {"GHSA-cj3c", "code", "InteractiveInterpreter.runcode"},
    {"GHSA-f54q", "lib2to3.pgen2.pgen", "ParserGenerator.make_label"},
    {"GHSA-p9w7", "lib2to3.pgen2.grammar", "Grammar.loads"},
    {"GHSA-3gf5", "idlelib.pyshell", "ModifiedInterpreter.runcode"},
    {"GHSA-j343", "idlelib.run", "Executive.runcode"},
    {"GHSA-3vg9", "idlelib.pyshell", "ModifiedInterpreter.runcommand"},
    {"GHSA-6w4w", "idlelib.debugobj", "ObjectTreeItem.SetText"},
    {"GHSA-7cq8", "idlelib.autocomplete", "AutoComplete.fetch_completions"},
    {"GHSA-8r4j", "idlelib.calltip", "get_entity"},
    {"GHSA-9xph", "idlelib.calltip", "Calltip.fetch_tip"},
    {"GHSA-m869", "idlelib.autocomplete", "AutoComplete.get_entity"},
    {"GHSA-4r9r", "torch.utils.bottleneck.__main__", "run_cprofile"},
    {"GHSA-4whj", "torch.utils.bottleneck.__main__", "run_autograd_prof"},
    {"GHSA-86cj", "torch._dynamo.guards", "GuardBuilder.get"},
    {"GHSA-f4x7", "torch.fx.experimental.symbolic_shapes", "ShapeEnv.evaluate_guards_expression"},
    {"GHSA-f745", "torch.utils.collect_env", "run"},
    {"GHSA-jhph", "torch.utils.collect_env", "run_and_read_all"},
    {"GHSA-h3qp", "torch.utils.data.datapipes.utils.decoder", "basichandlers"},
    {"GHSA-vr7h", "torch.jit.unsupported_tensor_ops", "execWrapper"},
    {"GHSA-vv6j", "torch.utils._config_module", "ConfigModule.load_config"},
    {"fickling GHSA-r7v6", "pty", "spawn"},
    {"fickling GHSA-fphw", "pickle", "_loads"},
    {"fickling GHSA-565g marshal", "marshal", "loads"},
    {"fickling GHSA-565g types", "types", "FunctionType"},
    {"fickling GHSA-wfq2 runpy", "runpy", "run_path"},
    {"fickling GHSA-q5qq importlib", "importlib", "import_module"},
    {"fickling GHSA-q5qq code", "code", "interact"},
    {"fickling GHSA-q5qq multiprocessing", "multiprocessing.util", "spawnv_passfds"},
    {"fickling GHSA-p523", "cProfile", "run"},
    {"CVE-2026-22608 (GHSA-5hvc) ctypes", "ctypes", "windll"},
    {"CVE-2026-22608 (GHSA-5hvc) pydoc", "pydoc", "locate"},
    {"fickling GHSA-h4rm", "builtins", "__import__"},
    {"fickling GHSA-5hwf", "uuid", "_get_command_stdout"},
    {"fickling GHSA-5j3x", "pathlib", "os.system"},
    {"fickling GHSA-6ggj", "_interpreters", "exec"},
    {"modelscan #330", "numpy", "__builtins__"},
    {"eval", "builtins", "eval"},
    {"exec of Python 2", "__builtin__", "exec"},
    {"posix", "posix", "system"},
    {"nt", "nt", "system"},
    {"sys.modules", "sys", "modules"},
    {"getattr", "builtins", "getattr"},
    {"partial", "functools", "partial"},
    {"another pickle", "_pickle", "loads"},
    {"torch.load", "torch.serialization", "load"},
    {"numpy.load", "numpy", "load"},
    {"socket", "socket", "create_connection"},
    {"webbrowser", "webbrowser", "open"},
    {"print", "builtins", "print"},
};

const size_t hostile_name_count = sizeof hostile_names / sizeof *hostile_names;

static void text(struct buf *b, const char *s)
{
    buf_put_u8(b, 0x8c);
    buf_put_u8(b, (uint8_t)strlen(s));
    buf_put_str(b, s);
}

void hostile_call(struct buf *out, const char *module, const char *name, enum hostile_form form)
{
    switch (form) {
    case HOSTILE_GLOBAL:
        buf_printf(out, "c%s\n%s\n(S'x'\ntR.", module, name);
        break;
    case HOSTILE_STACK_GLOBAL:
        buf_put(out, "\x80\x04", 2);
        text(out, module);
        text(out, name);
        buf_put(out, "\x93", 1);
        text(out, "x");
        buf_put(out, "\x85R.", 3);
        break;
    case HOSTILE_INST:
    case HOSTILE_FORMS:
        buf_printf(out, "(S'x'\ni%s\n%s\n.", module, name);
        break;
    }
}
