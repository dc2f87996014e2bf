#include "posthorn/web.h"

#include "api/portal_page.h"

#include <stdlib.h>
#include <string.h>

#define DASHBOARD "/dashboard"
#define PORTAL    "/portal"

/* What a page may load: what this server has, and nothing inline; images of a tenant's too. And who may have it in a frame. */
#define POLICY                                                                                     \
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:%s%s; "          \
    "font-src 'self'; connect-src 'self'; form-action 'none'; base-uri 'none'; "                   \
    "frame-ancestors %s"

static const struct ph_web_file *all;
static size_t n_all;

void ph_web_use(const struct ph_web_file *files, size_t count)
{
    all = files;
    n_all = count;
}

static int compare(const void *key, const void *member)
{
    struct ph_str path = *(const struct ph_str *)key;
    const char *other = ((const struct ph_web_file *)member)->path;
    int order = strncmp(path.ptr, other, path.len);

    return order ? order : -(other[path.len] != '\0');
}

static const struct ph_web_file *find(struct ph_str path)
{
    return n_all ? bsearch(&path, all, n_all, sizeof(*all), compare) : NULL;
}

static bool is_below(struct ph_str path, struct ph_str parent)
{
    return ph_str_starts(path, parent) && (path.len == parent.len || path.ptr[parent.len] == '/');
}

/* What one script shows, the dashboard's: every path below one of these is a page of it. */
static const char *const places[] = {DASHBOARD, PORTAL, "/operator", "/catalog"};

static const struct ph_web_file *file_of(struct ph_str path)
{
    if (path.len > 1 && path.ptr[path.len - 1] == '/')
        path.len--;
    for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++)
        if (is_below(path, ph_str_of(places[i])))
            return find(PH_STR(DASHBOARD));
    return find(path);
}

static bool is_zero(struct ph_str weight)
{
    if (!ph_str_starts(weight, PH_STR("q=0")))
        return false;
    for (size_t i = 3; i < weight.len; i++)
        if (weight.ptr[i] != '.' && weight.ptr[i] != '0')
            return false;
    return true;
}

/* Whether an Accept-Encoding takes this coding: named, or by "*", and not with q=0 (RFC 9110, 12.5.3). */
static bool takes(struct ph_str header, const char *coding)
{
    struct ph_str item, name;
    bool any = false;

    while (header.ptr && ph_str_split(&header, ',', &item)) {
        struct ph_str weight = item;
        bool refused;

        (void)ph_str_split(&weight, ';', &name);
        name = ph_str_trim(name);
        refused = weight.ptr && is_zero(ph_str_trim(weight));
        if (ph_str_ieq(name, ph_str_of(coding)))
            return !refused;
        if (ph_str_eq_c(name, "*"))
            any = !refused;
    }
    return any;
}

static struct ph_str encode(struct ph_call *call, const struct ph_web_file *file)
{
    struct ph_str header = ph_request_header(call->req, "accept-encoding");

    if (file->brotli.ptr && takes(header, "br")) {
        ph_request_set_header(call->req, "content-encoding", "br");
        return file->brotli;
    }
    if (file->gzip.ptr && takes(header, "gzip")) {
        ph_request_set_header(call->req, "content-encoding", "gzip");
        return file->gzip;
    }
    return file->plain;
}

static void set_headers(struct ph_call *call, const struct ph_web_file *file)
{
    ph_request_set_header(call->req, "etag", file->etag);
    ph_request_set_header(call->req, "vary", "accept-encoding");
    ph_request_set_header(call->req, "cache-control",
                          file->is_page ? "no-cache" : "public, max-age=31536000, immutable");
    ph_request_set_header(call->req, "referrer-policy", "no-referrer");
}

static void answer(struct ph_call *call, const struct ph_web_file *file)
{
    if (ph_knows_etag(call, file->etag))
        ph_answer_empty(call, 304);
    else
        ph_request_answer(call->req, 200, file->type, encode(call, file));
}

static void answer_page(struct ph_call *call, const char *ancestors, const char *images)
{
    ph_request_set_header(
        call->req, "content-security-policy",
        ph_arena_printf(call->req->arena, POLICY, *images ? " " : "", images, ancestors));
    ph_request_set_header(call->req, "cross-origin-opener-policy", "same-origin");
    answer(call, call->data);
}

bool ph_web_answer(struct ph_call *call)
{
    const struct ph_web_file *file = file_of(call->req->path);

    if (!file)
        return false;
    if (!ph_str_eq_c(call->req->method, "GET") && !ph_str_eq_c(call->req->method, "HEAD")) {
        ph_request_set_header(call->req, "allow", "GET, HEAD");
        ph_answer_error(call, PH_ERR_METHOD, NULL);
        return true;
    }
    set_headers(call, file);
    call->data = (void *)file;
    if (!file->is_page)
        answer(call, file);
    else if (is_below(call->req->path, PH_STR(PORTAL)))
        ph_portal_pages_find(call, answer_page);
    else
        answer_page(call, "'none'", "");
    return true;
}
