#include "posthorn/sign_profile.h"

#include <string.h>

#define CONTENT_TYPE_MAX 255

enum key { KEY, TEXT };
enum format { HEX, BASE64 };
enum which { ALL, NEWEST };

struct profile {
    const char *name;
    enum key key;
    const char *signed_text;
    const char *header; /* NULL: Standard Webhooks; "": the style's */
    const char *begin, *each;
    enum format format;
    enum which which;
    const char *topic_header, *id_header, *time_header;
};

static const struct profile profiles[PH_SIGN_PROFILES] = {
#define PH_SIGN_PROFILE(name, wire, key, signed_text, header, begin, each, format, which, topic,   \
                        id, time)                                                                  \
    {wire, key, signed_text, header, begin, each, format, which, topic, id, time},
#include "posthorn/sign_profile.def"
#undef PH_SIGN_PROFILE
};

enum ph_err ph_sign_profile_parse(struct ph_str name, enum ph_sign_profile *out)
{
    for (int i = 0; i < PH_SIGN_PROFILES; i++) {
        if (ph_str_eq_c(name, profiles[i].name)) {
            *out = (enum ph_sign_profile)i;
            return PH_OK;
        }
    }
    return PH_ERR_VALIDATION;
}

struct ph_str ph_sign_profile_name(enum ph_sign_profile profile)
{
    return ph_str_of(profiles[profile].name);
}

const char *ph_sign_profile_names(void)
{
#define PH_SIGN_PROFILE(name, wire, key, signed_text, header, begin, each, format, which, topic,   \
                        id, time)                                                                  \
    ", " wire
    static const char names[] =
#include "posthorn/sign_profile.def"
        ;
#undef PH_SIGN_PROFILE
    return names + 2;
}

static bool is_alphanumeric(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool ph_header_token_ok(struct ph_str token, size_t max)
{
    if (token.len == 0 || token.len > max || token.ptr[0] == '-' || token.ptr[token.len - 1] == '-')
        return false;
    for (size_t i = 0; i < token.len; i++)
        if (!is_alphanumeric(token.ptr[i]) && token.ptr[i] != '-')
            return false;
    return true;
}

static bool is_token_char(char c)
{
    return is_alphanumeric(c) || (c != '\0' && strchr("!#$&-^_.+", c) != NULL);
}

bool ph_content_type_ok(struct ph_str value)
{
    struct ph_str rest = value, type, parts;
    size_t slashes = 0, at = 0;

    if (value.len > CONTENT_TYPE_MAX || !ph_str_split(&rest, ';', &parts))
        return false;
    type = ph_str_trim(parts);
    if (type.len == 0 || type.ptr != value.ptr)
        return false;
    for (size_t i = 0; i < type.len; i++) {
        if (type.ptr[i] == '/') {
            slashes++;
            at = i;
        } else if (!is_token_char(type.ptr[i])) {
            return false;
        }
    }
    for (size_t i = 0; i < value.len; i++)
        if (value.ptr[i] < ' ' || value.ptr[i] > '~')
            return false;
    return slashes == 1 && at > 0 && at < type.len - 1 && value.ptr[value.len - 1] != ' ';
}

struct ph_signer *ph_sign_profile_signer(enum ph_sign_profile profile,
                                         const struct ph_secret *secret)
{
    bool by_text = profiles[profile].key == TEXT ||
                   (profile != PH_SIGN_STANDARD && secret->kind == PH_SECRET_ED25519);

    return by_text ? ph_signer_new_text(secret) : ph_signer_new(secret);
}

static bool is_valid(const int64_t *expires_ms, int i, int64_t now_ms)
{
    return expires_ms[i] == 0 || expires_ms[i] > now_ms;
}

static void add_line(struct ph_buf *head, struct ph_str name, struct ph_str value)
{
    ph_buf_add_str(head, name);
    ph_buf_add_c(head, ": ");
    ph_buf_add_str(head, value);
    ph_buf_add_c(head, "\r\n");
}

/* Appends a text of the table with the time in place of "{t}". */
static void add_text(struct ph_buf *buf, const char *text, int64_t now_s)
{
    for (; *text; text++) {
        if (ph_str_starts(ph_str_of(text), PH_STR("{t}"))) {
            ph_buf_add_i64(buf, now_s);
            text += 2;
        } else {
            ph_buf_add_char(buf, *text);
        }
    }
}

static bool add_standard(struct ph_signer *const *signers, const int64_t *expires_ms, int n_signers,
                         const struct ph_sign_message *message, struct ph_buf *value)
{
    char signature[PH_SIGNATURE_LEN_MAX + 1];
    bool any = false;

    for (int i = 0; i < n_signers; i++) {
        if (!is_valid(expires_ms, i, message->now_ms))
            continue;
        size_t len = ph_signer_sign(signers[i], message->id, message->now_ms / 1000, message->body,
                                    signature);
        if (any)
            ph_buf_add_char(value, ' ');
        ph_buf_add(value, signature, len);
        any = true;
    }
    return any;
}

/* Appends the MAC of the message in the profile's form. */
static void add_mac(const struct profile *profile, struct ph_signer *signer,
                    const struct ph_sign_message *message, struct ph_buf *head)
{
    char text[2 * PH_MAC_BYTES + 1], front[64];
    struct ph_buf front_text = {
        .ptr = front, .cap = sizeof front - 1, .max_bytes = sizeof front - 1};
    uint8_t mac[PH_MAC_BYTES];

    add_text(&front_text, profile->signed_text, message->now_ms / 1000);
    ph_signer_mac(signer, ph_buf_str(&front_text), message->body, mac);
    if (profile->format == HEX)
        ph_hex_encode(mac, sizeof mac, text);
    else
        ph_base64_encode(mac, sizeof mac, text);
    ph_buf_add_c(head, text);
}

static struct ph_str signature_header(const struct ph_sign_style *style)
{
    const char *header = profiles[style->profile].header;

    return *header ? ph_str_of(header) : style->header;
}

static bool add_macs(const struct profile *profile, struct ph_signer *const *signers,
                     const int64_t *expires_ms, int n_signers,
                     const struct ph_sign_message *message, struct ph_buf *value)
{
    bool any = false;

    add_text(value, profile->begin, message->now_ms / 1000);
    for (int i = 0; i < n_signers && !(any && profile->which == NEWEST); i++) {
        if (!is_valid(expires_ms, i, message->now_ms))
            continue;
        ph_buf_add_c(value, profile->each);
        add_mac(profile, signers[i], message, value);
        any = true;
    }
    return any;
}

bool ph_sign_write_value(const struct ph_sign_style *style, struct ph_signer *const *signers,
                         const int64_t *expires_ms, int n_signers,
                         const struct ph_sign_message *message, struct ph_buf *value)
{
    bool any =
        style->profile == PH_SIGN_STANDARD
            ? add_standard(signers, expires_ms, n_signers, message, value)
            : add_macs(&profiles[style->profile], signers, expires_ms, n_signers, message, value);

    return any && !value->overflow;
}

static void add_time_line(struct ph_buf *head, int64_t now_ms)
{
    ph_buf_add_c(head, ": ");
    ph_buf_add_i64(head, now_ms / 1000);
    ph_buf_add_c(head, "\r\n");
}

void ph_sign_write_header_name(const struct ph_sign_style *style, struct ph_buf *name)
{
    if (style->profile == PH_SIGN_STANDARD) {
        ph_buf_add_str(name, style->prefix);
        ph_buf_add_c(name, "-signature");
    } else {
        ph_buf_add_str(name, signature_header(style));
    }
}

void ph_sign_write_headers(const struct ph_sign_style *style, const struct ph_sign_message *message,
                           struct ph_str value, struct ph_buf *head)
{
    const struct profile *profile = &profiles[style->profile];

    ph_buf_add_str(head, style->prefix);
    ph_buf_add_c(head, "-id: ");
    ph_buf_add_str(head, message->id);
    ph_buf_add_c(head, "\r\n");
    ph_buf_add_str(head, style->prefix);
    ph_buf_add_c(head, "-timestamp");
    add_time_line(head, message->now_ms);
    if (style->profile == PH_SIGN_STANDARD) {
        ph_buf_add_str(head, style->prefix);
        add_line(head, PH_STR("-signature"), value);
        return;
    }
    add_line(head, signature_header(style), value);
    if (profile->topic_header)
        add_line(head, ph_str_of(profile->topic_header), message->event_type);
    if (profile->id_header)
        add_line(head, ph_str_of(profile->id_header), message->id);
    if (profile->time_header) {
        ph_buf_add_c(head, profile->time_header);
        add_time_line(head, message->now_ms);
    }
}

void ph_sign_record_end(struct ph_buf *record, const struct ph_sign_style *style, int64_t now_ms,
                        int64_t attempt_ms)
{
    bool usual = style->profile == PH_SIGN_STANDARD && ph_str_eq(style->prefix, PH_HEADER_PREFIX);

    if (usual && now_ms / 1000 == attempt_ms / 1000)
        return;
    ph_buf_add_char(record, '\n');
    ph_buf_add_i64(record, now_ms / 1000);
    if (usual)
        return;
    ph_buf_add_char(record, '\n');
    ph_buf_add_c(record, profiles[style->profile].name);
    ph_buf_add_char(record, '\n');
    ph_buf_add_str(record, style->prefix);
    ph_buf_add_char(record, '\n');
    ph_buf_add_str(record, style->header);
}

void ph_sign_record_read(struct ph_str record, int64_t attempt_ms, struct ph_sign_record *out)
{
    struct ph_str part;
    int64_t now_s;

    *out = (struct ph_sign_record){
        .style = {PH_SIGN_STANDARD, PH_HEADER_PREFIX, PH_SIGNATURE_HEADER},
        .now_ms = attempt_ms,
    };
    (void)ph_str_split(&record, '\n', &out->value);
    if (ph_str_split(&record, '\n', &part) && ph_str_to_i64(part, &now_s) == PH_OK)
        out->now_ms = now_s * 1000;
    if (ph_str_split(&record, '\n', &part) &&
        ph_sign_profile_parse(part, &out->style.profile) == PH_OK)
        (void)(ph_str_split(&record, '\n', &out->style.prefix) &&
               ph_str_split(&record, '\n', &out->style.header));
}

static bool is_prefixed(struct ph_str header, struct ph_str prefix, struct ph_str end)
{
    return header.len == prefix.len + end.len &&
           ph_str_ieq((struct ph_str){header.ptr, prefix.len}, prefix) &&
           ph_str_ieq((struct ph_str){header.ptr + prefix.len, end.len}, end);
}

bool ph_sign_style_sends(const struct ph_sign_style *style, struct ph_str header)
{
    const struct profile *profile = &profiles[style->profile];

    if (is_prefixed(header, style->prefix, PH_STR("-id")) ||
        is_prefixed(header, style->prefix, PH_STR("-timestamp")))
        return true;
    if (style->profile == PH_SIGN_STANDARD)
        return is_prefixed(header, style->prefix, PH_STR("-signature"));
    return ph_str_ieq(header, signature_header(style)) ||
           ph_str_ieq(header, ph_str_of(profile->topic_header)) ||
           ph_str_ieq(header, ph_str_of(profile->id_header)) ||
           ph_str_ieq(header, ph_str_of(profile->time_header));
}
