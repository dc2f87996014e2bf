#include "posthorn/oauth.h"

#include <stdlib.h>
#include <string.h>

#define TEXT_BYTES_MAX  4096
#define SCOPES_MAX      100
#define MEMBERS_MAX     50
#define REQUEST_BYTES   (1 << 20)
#define LIFETIME_S      300 /* without expires_in */
#define LIFETIME_MAX_S  (24 * 60 * 60)
#define MARGIN_MAX_S    60 /* of a tenth of the lifetime */
#define ERROR_CHARS_MAX 40

static const char too_long[] = "is longer than 4096 bytes";

static struct ph_str str_of(const json_t *json)
{
    return (struct ph_str){json_string_value(json), json_string_length(json)};
}

/* application/x-www-form-urlencoded */
static void add_encoded(struct ph_buf *buf, struct ph_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
            (c != '\0' && strchr("-._*", c)))
            ph_buf_add_char(buf, (char)c);
        else if (c == ' ')
            ph_buf_add_char(buf, '+');
        else
            ph_buf_printf(buf, "%%%02X", c);
    }
}

static void add_pair(struct ph_buf *buf, const char *name, struct ph_str value)
{
    if (buf->len > 0)
        ph_buf_add_char(buf, '&');
    add_encoded(buf, ph_str_of(name));
    ph_buf_add_char(buf, '=');
    add_encoded(buf, value);
}

/* A string member of 1 to TEXT_BYTES_MAX bytes; NULL, or what is wrong. */
static const char *read_text(const json_t *config, const char *name, struct ph_str *out)
{
    const json_t *value = json_object_get(config, name);

    if (!value || json_is_null(value))
        return "field required";
    if (!json_is_string(value))
        return "has to be a string";
    *out = str_of(value);
    if (out->len == 0)
        return "must not be empty";
    return out->len > TEXT_BYTES_MAX ? too_long : NULL;
}

static const char *read_scopes(const json_t *config, struct ph_buf *body)
{
    json_t *scopes = json_object_get(config, "scopes"), *scope;
    struct ph_buf list;
    const char *wrong = NULL;
    size_t i;

    if (!scopes || json_is_null(scopes))
        return NULL;
    if (!json_is_array(scopes) || json_array_size(scopes) > SCOPES_MAX)
        return "has to be an array of at most 100 strings";
    ph_buf_init(&list, REQUEST_BYTES);
    json_array_foreach(scopes, i, scope)
    {
        struct ph_str s = str_of(scope);
        if (!s.ptr || s.len == 0 || s.len > TEXT_BYTES_MAX)
            wrong = "has to hold strings of 1 to 4096 bytes";
        for (size_t n = 0; !wrong && n < s.len; n++)
            if (s.ptr[n] <= ' ' || s.ptr[n] > '~' || s.ptr[n] == '"' || s.ptr[n] == '\\')
                wrong = "a scope has only visible ASCII characters but '\"' and '\\'";
        if (wrong)
            break;
        if (list.len > 0)
            ph_buf_add_char(&list, ' ');
        ph_buf_add_str(&list, s);
    }
    if (!wrong && list.len > 0)
        add_pair(body, "scope", ph_buf_str(&list));
    ph_buf_free(&list);
    return wrong;
}

static const char *read_params(const json_t *config, struct ph_buf *body)
{
    static const char *const own[] = {"grant_type", "client_id", "client_secret", "scope"};
    json_t *params = json_object_get(config, "extraParams"), *value;
    const char *name;

    if (!params || json_is_null(params))
        return NULL;
    if (!json_is_object(params) || json_object_size(params) > MEMBERS_MAX)
        return "has to be an object of at most 50 strings";
    json_object_foreach(params, name, value)
    {
        if (!json_is_string(value))
            return "has to hold strings only";
        if (json_string_length(value) > TEXT_BYTES_MAX || strlen(name) > TEXT_BYTES_MAX)
            return "holds a name or value that is longer than 4096 bytes";
        for (size_t i = 0; i < sizeof own / sizeof *own; i++)
            if (strcmp(name, own[i]) == 0)
                return "must not hold grant_type, client_id, client_secret or scope";
        add_pair(body, name, str_of(value));
    }
    return NULL;
}

static bool is_token(const char *name)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                            "!#$%&'*+-.^_`|~");
    return n > 0 && name[n] == '\0';
}

/* Headers that the request has already, or that would change its framing. */
static bool is_own_header(const char *name)
{
    static const char *const own[] = {
        "accept",       "accept-encoding", "authorization", "connection",          "content-length",
        "content-type", "expect",          "host",          "proxy-authorization", "te",
        "trailer",      "upgrade",         "user-agent",    "transfer-encoding"};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (ph_str_ieq(ph_str_of(name), ph_str_of(own[i])))
            return true;
    return false;
}

static const char *read_headers(const json_t *config, struct ph_buf *head)
{
    json_t *headers = json_object_get(config, "extraHeaders"), *value;
    const char *name;

    if (!headers || json_is_null(headers))
        return NULL;
    if (!json_is_object(headers) || json_object_size(headers) > MEMBERS_MAX)
        return "has to be an object of at most 50 strings";
    json_object_foreach(headers, name, value)
    {
        struct ph_str s = str_of(value);
        if (!s.ptr || s.len > TEXT_BYTES_MAX || strlen(name) > TEXT_BYTES_MAX)
            return "has to hold strings of at most 4096 bytes";
        if (!is_token(name))
            return "a header name has only letters, digits and !#$%&'*+-.^_`|~";
        if (is_own_header(name))
            return "holds a header that is set by the server or belongs to the connection";
        for (size_t i = 0; i < s.len; i++)
            if ((unsigned char)s.ptr[i] < 0x20 || s.ptr[i] == 0x7f)
                return "a header value must not have control characters";
        ph_buf_printf(head, "%s: %s\r\n", name, s.ptr);
    }
    return NULL;
}

/* RFC 6749, 2.3.1: both are encoded before they are joined. */
static void add_basic(struct ph_arena *arena, struct ph_buf *head, struct ph_str id,
                      struct ph_str secret)
{
    struct ph_buf plain;
    char *coded;

    ph_buf_init(&plain, REQUEST_BYTES);
    add_encoded(&plain, id);
    ph_buf_add_char(&plain, ':');
    add_encoded(&plain, secret);
    coded = ph_arena_alloc(arena, PH_BASE64_LEN(plain.len) + 1);
    ph_base64_encode(plain.ptr, plain.len, coded);
    explicit_bzero(plain.ptr, plain.len);
    ph_buf_free(&plain);
    ph_buf_printf(head, "Authorization: Basic %s\r\n", coded);
}

static const char *read_grant(const json_t *config)
{
    struct ph_str grant;
    const char *wrong = read_text(config, "grantType", &grant);

    if (wrong)
        return wrong;
    if (ph_str_eq_c(grant, "refreshToken"))
        return "refreshToken is not supported, use clientCredentials";
    return ph_str_eq_c(grant, "clientCredentials") ? NULL : "has to be clientCredentials";
}

static const char *read_method(const json_t *config, bool *basic)
{
    struct ph_str method;
    const char *wrong = read_text(config, "authMethod", &method);

    if (wrong)
        return wrong;
    *basic = ph_str_eq_c(method, "clientSecretBasic");
    if (ph_str_eq_c(method, "clientSecretJwt"))
        return "clientSecretJwt is not supported, use clientSecretBasic or clientSecretPost";
    return *basic || ph_str_eq_c(method, "clientSecretPost")
               ? NULL
               : "has to be clientSecretBasic or clientSecretPost";
}

static void add_request_line(struct ph_buf *head, const struct ph_url *url)
{
    ph_buf_add_c(head, "POST ");
    ph_buf_add_str(head, url->target);
    ph_buf_printf(head, url->host_is_ipv6 ? " HTTP/1.1\r\nHost: [%.*s]" : " HTTP/1.1\r\nHost: %.*s",
                  (int)url->host.len, url->host.ptr);
    if (url->port != (url->tls ? 443 : 80))
        ph_buf_printf(head, ":%u", url->port);
    ph_buf_add_c(head, "\r\nUser-Agent: Posthorn/1.0\r\nAccept: application/json\r\n"
                       "Content-Type: application/x-www-form-urlencoded\r\n");
}

/* The members in the order of their checks; NULL, or what is wrong with *member. */
static const char *read_all(struct ph_arena *arena, const json_t *config, struct ph_url *url,
                            struct ph_buf *head, struct ph_buf *body, const char **member)
{
    struct ph_str id, secret, text;
    const char *wrong;
    bool basic;

    *member = "grantType";
    if ((wrong = read_grant(config)))
        return wrong;
    *member = "authMethod";
    if ((wrong = read_method(config, &basic)))
        return wrong;
    *member = "clientId";
    if ((wrong = read_text(config, "clientId", &id)))
        return wrong;
    *member = "clientSecret";
    if ((wrong = read_text(config, "clientSecret", &secret)))
        return wrong;
    *member = "tokenUrl";
    if ((wrong = read_text(config, "tokenUrl", &text)) ||
        (ph_url_parse(arena, text, url, &wrong) != PH_OK))
        return wrong;
    add_request_line(head, url);
    add_pair(body, "grant_type", PH_STR("client_credentials"));
    if (basic) {
        add_basic(arena, head, id, secret);
    } else {
        add_pair(body, "client_id", id);
        add_pair(body, "client_secret", secret);
    }
    *member = "scopes";
    if ((wrong = read_scopes(config, body)))
        return wrong;
    *member = "extraParams";
    if ((wrong = read_params(config, body)))
        return wrong;
    *member = "extraHeaders";
    if ((wrong = read_headers(config, head)))
        return wrong;
    ph_buf_printf(head, "Content-Length: %zu\r\n\r\n", body->len);
    return head->overflow || body->overflow ? "makes the request too long" : NULL;
}

enum ph_err ph_oauth_read(struct ph_arena *arena, const json_t *config, struct ph_oauth *out,
                          const char **member, const char **reason)
{
    struct ph_buf head, body;
    struct ph_url url = {.tls = false};
    const char *wrong;

    ph_buf_init(&head, REQUEST_BYTES);
    ph_buf_init(&body, REQUEST_BYTES);
    wrong = read_all(arena, config, &url, &head, &body, member);
    if (wrong)
        *reason = wrong;
    else
        *out = (struct ph_oauth){
            .url = url,
            .head = {ph_arena_copy(arena, head.ptr, head.len), head.len},
            .body = {ph_arena_copy(arena, body.ptr, body.len), body.len},
        };
    ph_buf_free(&head);
    ph_buf_free(&body);
    return wrong ? PH_ERR_VALIDATION : PH_OK;
}

/* An error code of RFC 6749, 5.2: short and without surprises, so that it can be shown. */
static bool is_error_code(struct ph_str s)
{
    if (!s.ptr || s.len == 0 || s.len > ERROR_CHARS_MAX)
        return false;
    for (size_t i = 0; i < s.len; i++)
        if (!(s.ptr[i] >= 'a' && s.ptr[i] <= 'z') && s.ptr[i] != '_')
            return false;
    return true;
}

/* Seconds as a number or, as some servers do, a string of digits; -1: absent. */
static int64_t lifetime_of(const json_t *answer)
{
    const json_t *value = json_object_get(answer, "expires_in");
    int64_t s;

    if (json_is_integer(value))
        return json_integer_value(value);
    if (json_is_real(value) && json_real_value(value) >= 0 &&
        json_real_value(value) <= LIFETIME_MAX_S)
        return (int64_t)json_real_value(value);
    if (json_is_string(value) && ph_str_to_i64(str_of(value), &s) == PH_OK)
        return s;
    return -1;
}

static const char *read_token(struct ph_arena *arena, const json_t *answer,
                              struct ph_oauth_token *out)
{
    struct ph_str token = str_of(json_object_get(answer, "access_token"));
    const json_t *type = json_object_get(answer, "token_type");
    int64_t s = lifetime_of(answer), margin_s;

    if (!token.ptr || token.len == 0)
        return "the answer has no access_token";
    if (token.len > PH_OAUTH_TOKEN_BYTES_MAX)
        return "the access_token is too long";
    for (size_t i = 0; i < token.len; i++)
        if (token.ptr[i] <= ' ' || token.ptr[i] > '~')
            return "the access_token has characters that no header may have";
    if (json_is_string(type) && !ph_str_ieq(str_of(type), PH_STR("bearer")))
        return "the token is not of type Bearer";
    if (s < 0)
        s = LIFETIME_S;
    if (s > LIFETIME_MAX_S)
        s = LIFETIME_MAX_S;
    margin_s = s / 10 < MARGIN_MAX_S ? s / 10 : MARGIN_MAX_S;
    out->value = (struct ph_str){ph_arena_copy(arena, token.ptr, token.len), token.len};
    out->lifetime_ms = s > 0 ? (s - margin_s) * 1000 : 1000;
    return NULL;
}

enum ph_err ph_oauth_token_read(struct ph_arena *arena, int status, struct ph_str body,
                                struct ph_oauth_token *out, const char **reason)
{
    json_t *answer = json_loadb(body.ptr ? body.ptr : "", body.len, 0, NULL);
    struct ph_str code = str_of(json_object_get(answer, "error"));
    const char *wrong = NULL;

    if (status != 200)
        wrong = is_error_code(code) ? ph_arena_printf(arena, "the server answered %d: %.*s", status,
                                                      (int)code.len, code.ptr)
                                    : ph_arena_printf(arena, "the server answered %d", status);
    else if (!json_is_object(answer))
        wrong = "the answer is not a JSON object";
    else
        wrong = read_token(arena, answer, out);
    json_decref(answer);
    if (wrong)
        *reason = wrong;
    return wrong ? PH_ERR_VALIDATION : PH_OK;
}
