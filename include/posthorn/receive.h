/*
 * `posthorn receive`: a small receiver for trying things out. Here are its parts without sockets.
 *
 * Everything that it prints is foreign: no byte of it may drive the terminal or forge a line of ours.
 */
#ifndef POSTHORN_RECEIVE_H
#define POSTHORN_RECEIVE_H

#include "posthorn/sign.h"
#include "posthorn/str.h"

#define PH_RECEIVE_SECRETS_MAX 32
#define PH_RECEIVE_TOLERANCE_S 300
/* A JSON body up to this size is indented. */
#define PH_RECEIVE_PRETTY_BYTES 16384
/* More of a body is not printed as text; --json has it whole. */
#define PH_RECEIVE_TEXT_BYTES 65536

struct ph_receive_options {
    const char *listen;     /* ADDR:PORT */
    const char *ready_file; /* NULL: none */
    struct ph_secret secrets[PH_RECEIVE_SECRETS_MAX];
    size_t n_secrets;
    int status; /* answer to what is not refused */
    int64_t delay_ms;
    int64_t fail_percent; /* how many of a hundred are answered 500 */
    bool json;
};

/* Returns -1 to go on, or the exit code, everything having been said. */
int ph_receive_parse(int argc, char **argv, struct ph_receive_options *out);

enum ph_receive_verdict {
    PH_RECEIVE_NOT_CHECKED, /* there is no secret to check with */
    PH_RECEIVE_VERIFIED,
    PH_RECEIVE_WRONG,   /* no signature fits */
    PH_RECEIVE_MISSING, /* one of the three headers is not there */
    PH_RECEIVE_TOO_OLD, /* signed well, but longer ago than the tolerance */
    PH_RECEIVE_TOO_NEW, /* signed well, for a time that is still to come */
};

/* One request that came in. Slices belong to the caller; absent headers are PH_STR_NONE. */
struct ph_receive_event {
    int64_t at_ms;
    struct ph_str method, path, query, body;
    struct ph_str webhook_id, webhook_timestamp, webhook_signature, content_type, user_agent;
    enum ph_receive_verdict verdict;
    int status; /* answered */
};

/* Judges event->webhook_* and body at the time event->at_ms. */
enum ph_receive_verdict ph_receive_verify(struct ph_signer *const *signers, size_t n,
                                          const struct ph_receive_event *event);
bool ph_receive_refused(enum ph_receive_verdict verdict);

/* Appends the event for a person, or as one line of JSON. */
void ph_receive_write_text(const struct ph_receive_event *event, struct ph_buf *out);
void ph_receive_write_json(const struct ph_receive_event *event, struct ph_buf *out);

/* Appends text with everything made visible that is not printable: \x1b for bytes and controls, \u202e for characters that
 * change the order or the look of a line. indent NULL: on one line; else newlines are kept and followed by it. */
void ph_receive_add_visible(struct ph_buf *out, struct ph_str text, const char *indent);
/* Appends valid JSON with line breaks and two spaces a level; its tokens stay as they are. */
void ph_receive_add_pretty(struct ph_buf *out, struct ph_str json);

#endif
