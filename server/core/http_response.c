/*
 * Every decision depends only on the bytes so far, never on how they were cut into reads: a header block is parsed once
 * its end is seen, and body bytes are counted in order. The fuzz target holds this.
 */
#include "posthorn/http_response.h"

#include "core/picohttpparser_api.h"
#include "posthorn/arena.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define HEADERS_MAX 100

/* Bytes of chunk sizes, extensions and trailers allowed on top of twice the body that is read. */
#define CHUNK_OVERHEAD_BYTES 16384

enum state {
    IN_HEADERS,
    IN_LENGTH, /* body of known length */
    IN_CHUNKS, /* chunked body */
    UNTIL_END, /* body that ends with the connection */
    DONE,
    BROKEN,
};

struct ph_http_response {
    size_t header_limit, body_limit, read_limit;
    struct ph_buf block; /* header block, from the status line to the empty line */
    struct ph_buf body;  /* its first body_limit bytes */
    enum state state;
    size_t line_bytes;    /* of the block's status line */
    size_t interim_bytes; /* of header blocks of interim answers */
    size_t scanned;       /* no end of the block begins before this */
    size_t left; /* IN_LENGTH: bytes to come; IN_CHUNKS, UNTIL_END: bytes until it is too much */
    size_t wire_left; /* IN_CHUNKS: encoded bytes until it is too much */
    int status;
    int minor_version;
    bool started, keep_alive, truncated;
    bool cut; /* IN_LENGTH: the body is longer than what is read of it */
    const char *fault;
    struct phr_chunked_decoder chunked;
    size_t n_headers;
    struct phr_header headers[HEADERS_MAX]; /* point into block */
};

struct ph_http_response *ph_http_response_new(size_t header_bytes, size_t body_bytes,
                                              size_t body_read_bytes)
{
    assert(header_bytes > 0);
    struct ph_http_response *r = ph_malloc(sizeof(*r));
    memset(r, 0, offsetof(struct ph_http_response, headers));
    r->header_limit = header_bytes;
    r->body_limit = body_bytes;
    r->read_limit = body_read_bytes < SIZE_MAX / 4 ? body_read_bytes : SIZE_MAX / 4;
    ph_buf_init(&r->block, header_bytes);
    ph_buf_init(&r->body, body_bytes);
    return r;
}

void ph_http_response_free(struct ph_http_response *r)
{
    if (r == NULL)
        return;
    ph_buf_free(&r->block);
    ph_buf_free(&r->body);
    free(r);
}

void ph_http_response_reset(struct ph_http_response *r)
{
    ph_buf_clear(&r->block);
    ph_buf_clear(&r->body);
    r->state = IN_HEADERS;
    r->interim_bytes = r->scanned = r->left = r->wire_left = r->n_headers = 0;
    r->status = r->minor_version = 0;
    r->started = r->keep_alive = r->truncated = r->cut = false;
    r->fault = NULL;
}

static void refuse(struct ph_http_response *r, const char *fault)
{
    r->state = BROKEN;
    r->keep_alive = false;
    r->fault = fault;
}

static void cut_short(struct ph_http_response *r)
{
    r->state = DONE;
    r->truncated = true;
    r->keep_alive = false;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The status line up to and with its LF. picohttpparser's own wants a space behind the code, which many servers forget,
 * and takes codes of any length. Returns its length, 0 when it is malformed. */
static size_t parse_status_line(struct ph_http_response *r)
{
    const char *line = r->block.ptr;
    const char *lf = memchr(line, '\n', r->block.len);
    assert(lf != NULL);
    size_t end = (size_t)(lf - line);
    size_t len = end + 1;
    if (end > 0 && line[end - 1] == '\r')
        end--;
    if (end < 12 || (line[7] != '0' && line[7] != '1') || line[8] != ' ' || line[9] < '1' ||
        !is_digit(line[9]) || !is_digit(line[10]) || !is_digit(line[11]))
        return 0;
    if (end > 12 && line[12] != ' ')
        return 0;
    for (size_t i = 12; i < end; i++) {
        unsigned char c = (unsigned char)line[i];
        if ((c < ' ' && c != '\t') || c == 127)
            return 0;
    }
    r->minor_version = line[7] - '0';
    r->status = (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
    return len;
}

struct framing {
    bool has_length, chunked, close, keep_alive;
    int64_t length;
};

static void read_connection(struct framing *f, struct ph_str value)
{
    struct ph_str option;
    while (ph_str_split(&value, ',', &option)) {
        option = ph_str_trim(option);
        f->close |= ph_str_ieq(option, PH_STR("close"));
        f->keep_alive |= ph_str_ieq(option, PH_STR("keep-alive"));
    }
}

static const char *read_length(struct framing *f, struct ph_str value)
{
    int64_t n;
    if (value.len == 0 || !is_digit(value.ptr[0]) || ph_str_to_i64(value, &n) != PH_OK)
        return "Content-Length is not a number";
    if (f->has_length && f->length != n)
        return "Content-Length is given twice with different values";
    f->has_length = true;
    f->length = n;
    return NULL;
}

/* What the headers say about where the body ends. Returns a fault or NULL. */
static const char *read_framing(const struct ph_http_response *r, struct framing *f)
{
    bool framing = false; /* the header before was one of ours, so that it must not be continued */
    for (size_t i = 0; i < r->n_headers; i++) {
        const struct phr_header *h = &r->headers[i];
        const char *fault = NULL;
        if (h->name == NULL) {
            if (framing)
                return "a header that says where the body ends is folded";
            continue;
        }
        struct ph_str name = {h->name, h->name_len};
        struct ph_str value = ph_str_trim((struct ph_str){h->value, h->value_len});
        framing = true;
        if (name.len == 10 && ph_str_ieq(name, PH_STR("connection"))) {
            read_connection(f, value);
        } else if (name.len == 14 && ph_str_ieq(name, PH_STR("content-length"))) {
            fault = read_length(f, value);
        } else if (name.len == 17 && ph_str_ieq(name, PH_STR("transfer-encoding"))) {
            if (f->chunked || !ph_str_ieq(value, PH_STR("chunked")))
                fault = "its Transfer-Encoding is not chunked";
            f->chunked = true;
        } else {
            framing = false;
        }
        if (fault != NULL)
            return fault;
    }
    if (f->chunked && f->has_length)
        return "Content-Length and Transfer-Encoding are both given";
    return NULL;
}

static void begin_body(struct ph_http_response *r, const struct framing *f)
{
    r->keep_alive = !f->close && (r->minor_version == 1 || f->keep_alive);
    if (r->status == 204 || r->status == 304) {
        /* A 304 may name the length of what it does not send; a 204 that does so lies. */
        if (f->chunked || (r->status == 204 && f->length > 0))
            r->keep_alive = false;
        r->state = DONE;
    } else if (f->chunked) {
        if (r->minor_version == 0)
            r->keep_alive = false;
        memset(&r->chunked, 0, sizeof(r->chunked));
        r->chunked.consume_trailer = 1;
        r->left = r->read_limit + 1;
        r->wire_left = 2 * r->read_limit + CHUNK_OVERHEAD_BYTES;
        r->state = IN_CHUNKS;
    } else if (f->has_length) {
        r->cut = (uint64_t)f->length > r->read_limit;
        r->left = r->cut ? r->read_limit : (size_t)f->length;
        r->state = r->left > 0 ? IN_LENGTH : DONE;
        if (r->state == DONE && r->cut)
            cut_short(r);
    } else {
        r->keep_alive = false;
        r->left = r->read_limit + 1;
        r->state = UNTIL_END;
    }
}

/* The block is complete: reads it, drops it if the answer is an interim one. */
static void parse_block(struct ph_http_response *r)
{
    size_t line = parse_status_line(r);
    if (line == 0) {
        refuse(r, "its status line is malformed");
        return;
    }
    size_t rest = r->block.len - line;
    r->line_bytes = line;
    r->n_headers = HEADERS_MAX;
    int n = phr_parse_headers(r->block.ptr + line, rest, r->headers, &r->n_headers, 0);
    if (n < 0 || (size_t)n != rest) {
        r->n_headers = 0;
        refuse(r, "its headers are malformed or too many");
        return;
    }
    struct framing f = {0};
    const char *fault = read_framing(r, &f);
    if (fault != NULL) {
        refuse(r, fault);
    } else if (r->status == 101) {
        refuse(r, "it switches to another protocol");
    } else if (r->status < 200) {
        r->interim_bytes += r->block.len;
        r->status = 0;
        r->n_headers = r->scanned = 0;
        ph_buf_clear(&r->block);
    } else {
        begin_body(r, &f);
    }
}

/* Length of the header block, 0 when its end has not come. */
static size_t find_block_end(struct ph_http_response *r)
{
    const char *p = r->block.ptr;
    size_t len = r->block.len;
    for (;;) {
        const char *lf = memchr(p + r->scanned, '\n', len - r->scanned);
        if (lf == NULL) {
            r->scanned = len;
            return 0;
        }
        size_t at = (size_t)(lf - p);
        if (at + 1 < len && p[at + 1] == '\n')
            return at + 2;
        if (at + 2 < len && p[at + 1] == '\r' && p[at + 2] == '\n')
            return at + 3;
        if (at + 1 == len || (at + 2 == len && p[at + 1] == '\r')) {
            r->scanned = at;
            return 0;
        }
        r->scanned = at + 1;
    }
}

/* Returns how many of the bytes belong to the header block. */
static size_t feed_headers(struct ph_http_response *r, const char *bytes, size_t n)
{
    static const char magic[] = "HTTP/1.";
    const size_t magic_len = sizeof(magic) - 1;
    size_t before = r->block.len;
    size_t room = r->header_limit - r->interim_bytes - before;
    size_t take = n < room ? n : room;
    ph_buf_add(&r->block, bytes, take);
    size_t have = r->block.len;
    if (have > 0 && memcmp(r->block.ptr, magic, have < magic_len ? have : magic_len) != 0) {
        refuse(r, "it does not begin with HTTP/1.0 or HTTP/1.1");
        return take;
    }
    size_t end = have > 0 ? find_block_end(r) : 0;
    if (end > 0) {
        r->block.len = end;
        take = end - before;
        parse_block(r);
    } else if (take == room) {
        refuse(r, "its headers are too long");
    }
    return take;
}

static void keep(struct ph_http_response *r, const char *bytes, size_t n)
{
    size_t room = r->body_limit - r->body.len;
    ph_buf_add(&r->body, bytes, n < room ? n : room);
}

static size_t feed_length(struct ph_http_response *r, const char *bytes, size_t n)
{
    size_t take = n < r->left ? n : r->left;
    keep(r, bytes, take);
    r->left -= take;
    if (r->left == 0) {
        r->state = DONE;
        if (r->cut)
            cut_short(r);
    }
    return take;
}

static size_t feed_until_end(struct ph_http_response *r, const char *bytes, size_t n)
{
    size_t take = n < r->left ? n : r->left;
    keep(r, bytes, take);
    r->left -= take;
    if (r->left == 0)
        cut_short(r);
    return take;
}

/* Decodes at most so many bytes at once that the limit cannot be passed by any but the last of them. */
static size_t feed_chunks(struct ph_http_response *r, const char *bytes, size_t n)
{
    char piece[4096];
    size_t take = n < sizeof(piece) ? n : sizeof(piece);
    take = take < r->left ? take : r->left;
    take = take < r->wire_left ? take : r->wire_left;
    memcpy(piece, bytes, take);
    size_t decoded = take;
    ssize_t rc = phr_decode_chunked(&r->chunked, piece, &decoded);
    keep(r, piece, decoded);
    r->left -= decoded;
    if (rc == -1) {
        refuse(r, "a chunk of its body is malformed");
        return take;
    }
    if (rc >= 0) {
        r->state = DONE;
        return take - (size_t)rc;
    }
    r->wire_left -= take;
    if (r->left == 0 || r->wire_left == 0)
        cut_short(r);
    return take;
}

static enum ph_http_progress progress(const struct ph_http_response *r)
{
    return r->state == DONE     ? PH_HTTP_COMPLETE
           : r->state == BROKEN ? PH_HTTP_INVALID
                                : PH_HTTP_MORE;
}

enum ph_http_progress ph_http_response_feed(struct ph_http_response *r, const char *bytes, size_t n)
{
    while (n > 0 && r->state != DONE && r->state != BROKEN) {
        size_t taken = 0;
        r->started = true;
        if (r->state == IN_HEADERS)
            taken = feed_headers(r, bytes, n);
        else if (r->state == IN_LENGTH)
            taken = feed_length(r, bytes, n);
        else if (r->state == IN_CHUNKS)
            taken = feed_chunks(r, bytes, n);
        else
            taken = feed_until_end(r, bytes, n);
        bytes += taken;
        n -= taken;
    }
    if (n > 0)
        r->keep_alive = false;
    return progress(r);
}

enum ph_http_progress ph_http_response_eof(struct ph_http_response *r)
{
    r->keep_alive = false;
    if (r->state == UNTIL_END)
        r->state = DONE;
    return progress(r);
}

int ph_http_response_status(const struct ph_http_response *r)
{
    return r->status;
}

struct ph_str ph_http_response_body(const struct ph_http_response *r)
{
    return r->body.len > 0 ? ph_buf_str(&r->body) : PH_STR("");
}

bool ph_http_response_truncated(const struct ph_http_response *r)
{
    return r->truncated;
}

bool ph_http_response_keep_alive(const struct ph_http_response *r)
{
    return r->state == DONE && r->keep_alive;
}

struct ph_str ph_http_response_header(const struct ph_http_response *r, const char *name)
{
    struct ph_str wanted = ph_str_of(name);
    for (size_t i = 0; i < r->n_headers; i++) {
        const struct phr_header *h = &r->headers[i];
        if (h->name != NULL && h->name_len == wanted.len &&
            ph_str_ieq((struct ph_str){h->name, h->name_len}, wanted))
            return ph_str_trim((struct ph_str){h->value, h->value_len});
    }
    return PH_STR_NONE;
}

struct ph_str ph_http_response_headers(const struct ph_http_response *r)
{
    struct ph_str lines;

    if (r->n_headers == 0)
        return PH_STR_NONE;
    lines = (struct ph_str){r->block.ptr + r->line_bytes, r->block.len - r->line_bytes};
    lines.len -= lines.ptr[lines.len - 2] == '\r' ? 2 : 1;
    return lines;
}

bool ph_http_response_started(const struct ph_http_response *r)
{
    return r->started;
}

const char *ph_http_response_fault(const struct ph_http_response *r)
{
    return r->fault;
}
