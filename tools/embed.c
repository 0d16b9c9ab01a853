/*
 * embed FILE...: writes a C source that holds the files as one array, so that
 * the program needs no data files at run time. Bytes, not string literals:
 * those may not be long in C11.
 */
#include <stdio.h>

static int put_bytes(const char *path, int number)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return 0;
    printf("static const unsigned char file_%d[] = {", number);
    int c, n = 0;
    while ((c = getc(f)) != EOF)
        printf("%s%d,", n++ % 24 ? "" : "\n    ", c);
    printf("\n    0};\n\n"); /* a NUL that is not counted */
    int ok = !ferror(f);
    fclose(f);
    return ok;
}

int main(int argc, char **argv)
{
    printf("#include \"assay/base/embed.h\"\n\n");
    for (int i = 1; i < argc; i++)
        if (!put_bytes(argv[i], i)) {
            perror(argv[i]);
            return 1;
        }
    printf("const struct embedded embedded[] = {\n");
    for (int i = 1; i < argc; i++)
        printf("    {\"%s\", {file_%d, sizeof file_%d - 1}},\n", argv[i], i, i);
    printf("};\nconst size_t embedded_count = %d;\n", argc - 1);
    return ferror(stdout) ? 1 : 0;
}
