/*
 * Running the server: everything wired together, until a stop signal.
 */
#ifndef POSTHORN_SERVE_H
#define POSTHORN_SERVE_H

#include "posthorn/config.h"

struct ph_serve_options {
    const char *listen; /* overrides config->listen; NULL: the setting */
    bool share_address; /* start although another node listens there, to take over from it */
    const char
        *ready_file; /* gets {"url","api_key","tenant_id"} once requests are accepted; NULL: none */
    const char *ready_api_key; /* for the ready file; NULL: null */
    const char *ready_tenant;
    void (*on_ready)(const char *url, void *ctx); /* optional: called once requests are accepted */
    void *ctx;
};

/*
 * Checks the settings and the database's migrations, starts all threads, and serves until SIGTERM or SIGINT; then finishes
 * what is in flight and gives the rest back. Waits, with log lines, for a database that is not there yet. Returns the exit
 * code: 0 after a stop signal, 1 with a log line that says why it could not start. Main thread.
 */
PH_MUST_CHECK int ph_serve_run(const struct ph_config *config,
                               const struct ph_serve_options *options);

#endif
