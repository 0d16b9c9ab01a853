/* Pickles that do what no pickler writes, byte by byte. */
#include "support/hostile.h"

#define P4 "\x80\x04"
#define P2 "\x80\x02"

#define CASE(name, bytes, rule)                                                                    \
    {                                                                                              \
        name, bytes, sizeof(bytes) - 1, RULE_##rule                                                \
    }

const struct hostile_case hostile_pickles[] = {
    CASE("GLOBAL", "cos\nsystem\n(S'x'\ntR.", PICKLE_DANGEROUS),
    CASE("INST", "(S'x'\nios\nsystem\n.", PICKLE_DANGEROUS),
    CASE("OBJ", "(cos\nsystem\nS'x'\no.", PICKLE_OLD_CALL),
    CASE("OBJ and POP hide the call (GHSA-mxhj)", "(cos\nsystem\nS'x'\no0N.", PICKLE_DANGEROUS),
    CASE("STACK_GLOBAL", P4 "\x8c\x02os\x8c\x06system\x93\x8c\x01x\x85R.", PICKLE_DANGEROUS),
    CASE("STACK_GLOBAL of STRING at offset 0 (GHSA-9gvj)", "S'os'\nS'system'\n\x93(S'x'\ntR.",
         PICKLE_DANGEROUS),
    CASE("a name through the memo, by what is on the stack",
         P4 "\x8c\x02os\x94\x8c\x04none0h\x00\x8c\x06system\x93)R.", PICKLE_DANGEROUS),
    CASE("a memo key that was never put (#52)", P4 "h\x07\x8c\x06system\x93)R.", PICKLE_MEMO),
    CASE("a name that is bytes", P4 "C\x02os\x8c\x06system\x93)R.", PICKLE_COMPUTED),
    CASE("a dotted name (GHSA-5j3x)", P2 "cpathlib\nos.system\n)R.", PICKLE_NAME),
    CASE("a dunder", P2 "cnumpy\n__builtins__\n.", PICKLE_NAME),
    CASE("an unknown name (fickling GHSA-pc6j, GHSA-m6fh)", P2 "cmy_package.deep\nThing\n)R.",
         PICKLE_IMPORT),
    CASE("a name of a listed package that is not listed (fickling GHSA-cffv)",
         P2 "csklearn.utils\nload_anything\n)R.", PICKLE_IMPORT),
    CASE("an unknown name is called", P2 "cmy_package.deep\nThing\n)R.", PICKLE_CALL),
    CASE("EXT1", P2 "\x82\x01.", PICKLE_EXTENSION),
    CASE("EXT4", P2 "\x84\x01\x00\x00\x00.", PICKLE_EXTENSION),
    CASE("PERSID", "(lp0\nPany\na.", PICKLE_PERSISTENT),
    CASE("BINPERSID that is not torch's", P2 "X\x01\x00\x00\x00zQ.", PICKLE_PERSISTENT),
    CASE("BUILD on a class", P2 "ccollections\nOrderedDict\n}X\x01\x00\x00\x00zK\x01sb.",
         PICKLE_BUILD),
    CASE("SETITEM on a class", P2 "ccollections\nOrderedDict\nX\x01\x00\x00\x00zK\x01s.",
         PICKLE_BUILD),
    CASE("APPEND on a class",
         P2 "ccollections\ndeque\nK\x01"
            "a.",
         PICKLE_BUILD),
    CASE("a storage type is called", P2 "ctorch\nFloatStorage\n)R.", PICKLE_USE),
    CASE("a rebuild function with other arguments",
         P2 "ctorch._utils\n_rebuild_tensor_v2\nK\x01\x85R.", PICKLE_USE),
    CASE("the result of a call is called", P2 "ccollections\nOrderedDict\n)R)R.", PICKLE_CALL),
    CASE("text hidden by an encoding",
         P2 "c_codecs\nencode\nX\x01\x00\x00\x00zX\x05\x00\x00\x00rot13\x86R.", PICKLE_USE),
    CASE("a payload before a broken tail (nullifAI)", P2 "cos\nsystem\n(S'x'\ntRX\xff\xff",
         PICKLE_DANGEROUS),
    CASE("a broken tail", P2 "}q\x00X\xff\xff", PICKLE_MALFORMED),
    CASE("an unknown opcode", P2 "}q\x00\xff.", PICKLE_MALFORMED),
    CASE("an empty stack", P2 "N0000.", PICKLE_MALFORMED),
    CASE("a second pickle", P2 "}." P2 "cos\nsystem\n(S'x'\ntR.", PICKLE_DANGEROUS),
    CASE("bytes after the end", P2 "}q\x00.\xff\xfe rest of it", PICKLE_TRAILING),
    CASE("lists of one list, laughs",
         P4 "((((((((\x8c\3lol2222222222222222l2222222222222222l2222222222222222l"
            "2222222222222222l2222222222222222l2222222222222222l2222222222222222l"
            "2222222222222222l.",
         PICKLE_EXPANSION),
    CASE("a list within itself, again and again",
         P4 "]\x94"
            "h\0ah\0ah\0ah\0ah\0ah\0ah\0ah\0ah\0ah\0ah\0ah\0ah\0ah\0ah\0ah\0ah\0ah\0ah\0ah\0a"
            "h\0ah\0ah\0ah\0ah\0ah\0ah\0ah\0ah\0a.",
         PICKLE_EXPANSION),
    CASE("copies that nothing takes", P4 "]2222.", PICKLE_LEFTOVER),
    CASE("a mark that nothing takes", P2 "(N.", PICKLE_LEFTOVER),
    CASE("an import before a string that is cut", "cbuiltins\nexec\n(X>\nf = open('x')",
         PICKLE_DANGEROUS),
    CASE("white space after the end", P2 "}q\x00.\n\n\t", PICKLE_TRAILING),
    CASE("a call after a memo key that was never put",
         P4 "h\x07"
            "0cos\nsystem\n(S'x'\ntR.",
         PICKLE_DANGEROUS),
    CASE("a frame within an opcode", P4 "\x95\x02\0\0\0\0\0\0\0\x8c\x02os.", PICKLE_FRAME),
    CASE("the other reading of a frame",
         P4 "\x95\x02\0\0\0\0\0\0\0\x8c\x14"
            "cposix\nsystem\nS'x'\n\x85R"
            ".",
         PICKLE_DANGEROUS),
    CASE("a frame beyond the end", P4 "\x95\xff\0\0\0\0\0\0\0}.", PICKLE_FRAME),
    CASE("a pickle in bytes",
         P4 "C\x0d" P2 "}q\x00(U\x01"
            "aK\x01u..",
         PICKLE_NESTED),
    CASE("a nested pickle",
         P4 "}\x8c\x01"
            "aC\x09" P2 "]q\x00K\x01"
            "a.s.",
         PICKLE_NESTED),
    CASE("a nested pickle in base64", P4 "\x8c\x10gAJdcQBLAWFLAmEu.", PICKLE_NESTED),
    CASE("a nested pickle in hexadecimal",
         P4 "\x8c\x18"
            "80025d71004b01614b02612e.",
         PICKLE_NESTED),
    CASE("a number for some readers only", "(lI0x10\na.", PICKLE_AMBIGUOUS),
    CASE("a scanner", P2 "cpicklescan.scanner\nscan_file_path\n)R.", PICKLE_TAMPER),
    CASE("dunder state", P2 "cargparse\nNamespace\n)\x81}X\x09\x00\x00\x00__class__NsbN0.",
         PICKLE_BUILD),
    CASE("the magic of torch from a call (GHSA-97f8)",
         P2 "cbuiltins\neval\nX\x01\0\0\0"
            "1\x85R.",
         PICKLE_DANGEROUS),
    CASE("NEWOBJ of an unknown class", P2 "cx.y\nZ\n)\x81.", PICKLE_CALL),
    CASE("NEWOBJ_EX of an unknown class", P4 "\x8c\x03x.y\x8c\x01Z\x93)}\x92.", PICKLE_CALL),
    CASE("one BUILD at the end (GHSA-mhc9)", "cos\nsystem\n(S'x'\ntR}b.", PICKLE_DANGEROUS),
    CASE("EXT2", P2 "\x83\x01\x00.", PICKLE_EXTENSION),
    CASE("a call hidden by POP", P2 "cos\nsystem\nX\x01\0\0\0x\x85R0N.", PICKLE_DANGEROUS),
    CASE("a call within a list that is popped", P2 "(cos\nsystem\nX\x01\0\0\0x\x85R1N.",
         PICKLE_DANGEROUS),
    CASE("a name that is not UTF-8", P2 "cos\xff\nsystem\n)R.", PICKLE_NAME),
    CASE("a persistent id with a name for its type",
         P2 "(X\x07\0\0\0storagecos\nsystem\nX\x01\0\0\0"
            "0X\x03\0\0\0cpuK\x01tQ.",
         PICKLE_PERSISTENT),
    CASE("a buffer from outside", "\x80\x05\x97\x85.", PICKLE_PERSISTENT),
    CASE("a rebuild function that rebuilds itself",
         P2 "ctorch._tensor\n_rebuild_from_type_v2\n(ctorch._tensor\n_rebuild_from_type_v2\n"
            "ctorch\nTensor\n)NtR.",
         PICKLE_USE),
    CASE("getattr through a listed class",
         P2 "cbuiltins\ngetattr\ncbuiltins\ndict\n"
            "X\x03\0\0\0get\x86R.",
         PICKLE_DANGEROUS),
};

const size_t hostile_pickle_count = sizeof hostile_pickles / sizeof *hostile_pickles;
