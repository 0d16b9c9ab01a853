/*
 * RFC 8259 as a machine that reads an octet at a time. Two bounds keep an answer from never
 * ending: levels, and white space in a row. Octets that are no ASCII stand in strings, where
 * what is no UTF-8 becomes U+FFFD when it is shown.
 */
#include "engine/json_form.h"

#include <string.h>

enum json_state {
    BEGIN,     /* only an object */
    VALUE,     /* a value */
    VALUE_END, /* a value, or the end of the array that was just opened */
    NAME,      /* a member's name */
    NAME_END,  /* a name, or the end of the object that was just opened */
    COLON,
    COMMA, /* behind a value */
    STRING,
    ESCAPE, /* behind \ */
    HEX,    /* of \uXXXX */
    WORD,   /* of true, false, null */
    MINUS,  /* a digit must follow */
    ZERO,   /* no digit may */
    DIGITS,
    POINT, /* a digit must follow */
    FRACTION,
    EXPONENT, /* a sign or a digit */
    SIGN,     /* a digit */
    POWER,
    OVER
};

const char json_form_needs[] = "{}[]:,\"0truefalsn\\";

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(uint8_t c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool go(struct json_form *f, enum json_state s)
{
    f->state = (uint8_t)s;
    return true;
}

static bool open(struct json_form *f, bool array)
{
    if (f->depth == JSON_FORM_DEPTH)
        return false;
    f->arrays = f->arrays << 1 | array;
    f->depth++;
    return go(f, array ? VALUE_END : NAME_END);
}

static bool in_array(const struct json_form *f)
{
    return f->depth && (f->arrays & 1);
}

static bool close(struct json_form *f, bool array)
{
    if (f->depth == 0 || in_array(f) != array)
        return false;
    f->arrays >>= 1;
    f->depth--;
    return go(f, f->depth ? COMMA : OVER);
}

static bool begin_string(struct json_form *f, bool name)
{
    f->name = name;
    return go(f, STRING);
}

static bool begin_value(struct json_form *f, uint8_t c)
{
    switch (c) {
    case '{':
        return open(f, false);
    case '[':
        return open(f, true);
    case '"':
        return begin_string(f, false);
    case '-':
        return go(f, MINUS);
    case '0':
        return go(f, ZERO);
    case 't':
    case 'f':
    case 'n':
        f->word = c == 't' ? "rue" : c == 'f' ? "alse" : "ull";
        return go(f, WORD);
    default:
        return is_digit(c) && go(f, DIGITS);
    }
}

static bool behind_value(struct json_form *f, uint8_t c)
{
    if (c == ',')
        return go(f, in_array(f) ? VALUE : NAME);
    return c == ']' ? close(f, true) : c == '}' && close(f, false);
}

static bool in_string(struct json_form *f, uint8_t c)
{
    if (c == '"')
        return go(f, f->name ? COLON : COMMA);
    if (c == '\\')
        return go(f, ESCAPE);
    return c >= ' ';
}

static bool escaped(struct json_form *f, uint8_t c)
{
    if (c != 'u')
        return c && strchr("\"\\/bfnrt", c) && go(f, STRING);
    f->left = 4;
    return go(f, HEX);
}

/* What the digits so far may be followed by; any of it may also be the number's end. */
static bool in_number(struct json_form *f, uint8_t c)
{
    enum json_state s = (enum json_state)f->state;
    if (is_digit(c) && s != ZERO)
        return true;
    if (c == '.' && (s == ZERO || s == DIGITS))
        return go(f, POINT);
    if ((c == 'e' || c == 'E') && s != POWER)
        return go(f, EXPONENT);
    return behind_value(f, c);
}

static bool digit(struct json_form *f, uint8_t c, enum json_state then)
{
    return is_digit(c) && go(f, then);
}

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* White space ends a number, and stands anywhere but within names, strings, words and numbers. */
static bool space(struct json_form *f)
{
    enum json_state s = (enum json_state)f->state;
    if (s == ZERO || s == DIGITS || s == FRACTION || s == POWER)
        (void)go(f, COMMA);
    else if (s > COMMA)
        return false;
    return ++f->spaces <= JSON_FORM_SPACES;
}

static bool step(struct json_form *f, uint8_t c)
{
    switch ((enum json_state)f->state) {
    case BEGIN:
        return c == '{' && open(f, false);
    case VALUE_END:
        return c == ']' ? close(f, true) : begin_value(f, c);
    case VALUE:
        return begin_value(f, c);
    case NAME_END:
        return c == '}' ? close(f, false) : c == '"' && begin_string(f, true);
    case NAME:
        return c == '"' && begin_string(f, true);
    case COLON:
        return c == ':' && go(f, VALUE);
    case COMMA:
        return behind_value(f, c);
    case STRING:
        return in_string(f, c);
    case ESCAPE:
        return escaped(f, c);
    case HEX:
        return is_hex(c) && (--f->left > 0 || go(f, STRING));
    case WORD:
        return c == (uint8_t)*f->word && (*++f->word || go(f, COMMA));
    case MINUS:
        return c == '0' ? go(f, ZERO) : digit(f, c, DIGITS);
    case POINT:
        return digit(f, c, FRACTION);
    case EXPONENT:
        return c == '+' || c == '-' ? go(f, SIGN) : digit(f, c, POWER);
    case SIGN:
        return digit(f, c, POWER);
    case ZERO:
    case DIGITS:
    case FRACTION:
    case POWER:
        return in_number(f, c);
    case OVER:
        break;
    }
    return false;
}

bool json_form_push(struct json_form *f, struct span bytes)
{
    for (size_t i = 0; i < bytes.n; i++) {
        uint8_t c = bytes.p[i];
        bool blank = is_space(c) && f->state != STRING;
        if (!(blank ? space(f) : step(f, c)))
            return false;
        if (!blank)
            f->spaces = 0;
    }
    return true;
}

bool json_form_over(const struct json_form *f)
{
    return f->state == OVER;
}
