#include "posthorn/serve.h"

#include "posthorn/api.h"
#include "posthorn/claim.h"
#include "posthorn/clock.h"
#include "posthorn/counts.h"
#include "posthorn/courier.h"
#include "posthorn/data_key.h"
#include "posthorn/dispatcher.h"
#include "posthorn/file.h"
#include "posthorn/ingest.h"
#include "posthorn/mailer.h"
#include "posthorn/migrate.h"
#include "posthorn/role.h"

#include <getopt.h>
#include <jansson.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define DATABASE_WAIT_S    1
#define COURIERS_MAX       64
#define JWT_SECRET_MIN     16
#define OPERATOR_TOKEN_MIN 32

/* Everything that runs, in the order of its start. */
struct server {
    const struct ph_config *config;
    const struct ph_serve_options *options;
    sigset_t signals;
    struct ph_buf problems;
    struct ph_buf url; /* where it listens */
    struct ph_keyring *keyring;
    struct ph_guard *guard;
    struct ph_forwarded *forwarded;
    struct ph_proxy *proxy;
    struct ph_node *node;
    struct ph_courier *couriers[COURIERS_MAX];
    struct ph_mailer *mailer;
    _Atomic(struct ph_http_server *) http;
    int stop_signal;
};

static int cores_half(void)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    return cores < 4 ? 1 : (int)(cores / 2);
}

/* Every delivery and every inbound request needs a descriptor: takes all that we may have. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static void block_signals(sigset_t *signals)
{
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(signals);
    sigaddset(signals, SIGTERM);
    sigaddset(signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, signals, NULL);
}

/* Waits for a stop signal. False: the time is over. */
static bool stop_asked(struct server *s, int seconds)
{
    struct timespec wait = {.tv_sec = seconds};
    int signal_number = sigtimedwait(&s->signals, NULL, &wait);

    if (signal_number > 0)
        s->stop_signal = signal_number;
    return signal_number > 0;
}

/* Moves lines about a setting's value to the problems, behind its name. */
static void blame(struct server *s, const char *setting, struct ph_buf *lines)
{
    struct ph_str rest = ph_str_trim(ph_buf_str(lines)), line;

    while (rest.len && ph_str_split(&rest, '\n', &line))
        ph_buf_printf(&s->problems, "%s: %.*s\n", setting, (int)line.len, line.ptr);
    ph_buf_clear(lines);
}

static enum ph_err check_settings(struct server *s)
{
    const struct ph_config *config = s->config;
    struct ph_buf lines;
    enum ph_err err = PH_OK;

    ph_buf_init(&lines, 1 << 16);
    if (!*config->database_url) {
        ph_buf_add_c(&s->problems, "POSTHORN_DATABASE_URL is not set\n");
        err = PH_ERR_CONFIG;
    }
    if (ph_keyring_new(ph_str_of(config->master_key), &s->keyring) != PH_OK) {
        ph_buf_add_c(
            &s->problems,
            *config->master_key
                ? "POSTHORN_MASTER_KEY is not base64 of 32 bytes; `posthorn master-key` makes one\n"
                : "POSTHORN_MASTER_KEY is not set; `posthorn master-key` makes one\n");
        err = PH_ERR_CONFIG;
    }
    if (*config->jwt_secret && strlen(config->jwt_secret) < JWT_SECRET_MIN) {
        ph_buf_add_c(&s->problems, "POSTHORN_JWT_SECRET is shorter than 16 bytes\n");
        err = PH_ERR_CONFIG;
    }
    if (*config->operator_token && strlen(config->operator_token) < OPERATOR_TOKEN_MIN) {
        ph_buf_add_c(&s->problems, "POSTHORN_OPERATOR_TOKEN is shorter than 32 bytes\n");
        err = PH_ERR_CONFIG;
    }
    if (s->keyring && *config->master_key_new &&
        ph_keyring_add_master(s->keyring, ph_str_of(config->master_key_new)) != PH_OK) {
        ph_buf_add_c(&s->problems, "POSTHORN_MASTER_KEY_NEW is not base64 of 32 bytes\n");
        err = PH_ERR_CONFIG;
    }
    if (ph_guard_new(ph_str_of(config->guard_allow), &lines, &s->guard) != PH_OK)
        err = PH_ERR_CONFIG;
    blame(s, "POSTHORN_GUARD_ALLOW", &lines);
    if (ph_forwarded_new(ph_str_of(config->trusted_proxies), &lines, &s->forwarded) != PH_OK)
        err = PH_ERR_CONFIG;
    blame(s, "POSTHORN_TRUSTED_PROXIES", &lines);
    if (ph_proxy_new(ph_str_of(config->proxy), ph_str_of(config->no_proxy), &s->problems,
                     &s->proxy) != PH_OK)
        err = PH_ERR_CONFIG;
    if (ph_mailer_check(config, &s->problems) != PH_OK)
        err = PH_ERR_CONFIG;
    s->node = ph_calloc(1, sizeof *s->node);
    if (ph_retry_parse(ph_str_of(config->retry_schedule), (int)config->retry_jitter, &lines,
                       &s->node->retry) != PH_OK)
        err = PH_ERR_CONFIG;
    blame(s, "POSTHORN_RETRY_SCHEDULE", &lines);
    ph_buf_free(&lines);
    return err;
}

static void house_kept(enum ph_err err, int32_t n, void *ctx)
{
    (void)n;
    *(enum ph_err *)ctx = err;
}

/* Today's partitions have to be there before the first message. */
static enum ph_err make_partitions(struct server *s, struct ph_loop *loop, struct ph_db *db)
{
    struct ph_arena *arena = ph_arena_new();
    enum ph_err err = PH_ERR_COUNT;

    ph_housekeeping_run(db, arena, (int)s->config->retention_days, (int)s->config->audit_days,
                        house_kept, &err);
    while (err == PH_ERR_COUNT)
        ph_loop_step(loop, -1);
    ph_arena_free(arena);
    return err;
}

static enum ph_err load_database(struct server *s)
{
    struct ph_loop *loop = ph_loop_new();
    struct ph_db *db = ph_db_new(loop, &(struct ph_db_options){
                                           .conninfo = s->config->database_url,
                                           .role = PH_DB_ENGINE,
                                           .connections = 1,
                                           .max_waiting = 8,
                                           .name = "start",
                                       });
    enum ph_err err = ph_data_keys_load(loop, db, s->keyring);

    if (err == PH_ERR_CRYPTO)
        ph_log(PH_LOG_ERROR,
               "the master key is not the one that this database's data keys are wrapped with",
               ph_log_s("setting", "POSTHORN_MASTER_KEY"));
    if (err == PH_OK)
        err = make_partitions(s, loop, db);
    if (err ==
        PH_ERR_DB_FAILED) { /* locks were held: they may be there already, and the dispatcher tries again */
        ph_log(PH_LOG_WARN, "partitions were not made yet", ph_log_s("reason", ph_err_text(err)));
        err = PH_OK;
    }
    ph_db_free(db);
    ph_loop_free(loop);
    return err;
}

/* Waits for the database, and reads and makes there what has to be known before anything starts. */
static enum ph_err open_database(struct server *s)
{
    enum ph_err err;

    do {
        err = ph_migrate_check(s->config->database_url, ph_migrations);
        if (err == PH_ERR_CONFIG)
            ph_buf_add_c(&s->problems, "the database does not fit this program; `posthorn migrate` "
                                       "brings an older one up to date\n");
        if (err == PH_OK)
            err = load_database(s);
        if (!ph_err_retryable(err))
            return err;
        ph_log(PH_LOG_WARN, "waiting for the database", ph_log_s("reason", ph_err_text(err)),
               ph_log_i("retry_s", DATABASE_WAIT_S));
    } while (!stop_asked(s, DATABASE_WAIT_S));
    return err;
}

/* On the dispatcher's thread. */
static void application_changed(const struct ph_id *application, void *ctx)
{
    struct server *s = ctx;
    struct ph_http_server *http = atomic_load(&s->http);

    for (int i = 0; http && i < ph_http_server_threads(http); i++) {
        struct ph_api *api = ph_http_server_thread(http, i);
        ph_ingest_application_changed(api->ingest, application);
    }
}

static void *thread_start(struct ph_loop *loop, int index, void *ctx)
{
    return ph_api_new(loop, ((struct server *)ctx)->node, index);
}

static void thread_stop(void *api)
{
    ph_api_free(api);
}

static enum ph_err start_http(struct server *s)
{
    const struct ph_config *config = s->config;
    struct ph_http_server *http;
    struct ph_http_server_options options = {
        .listen = s->options->listen ? s->options->listen : config->listen,
        .threads = config->http_threads ? (int)config->http_threads : cores_half(),
        .share_address = s->options->share_address,
        .max_connections = config->max_connections,
        .idle_timeout_ms = config->idle_timeout_ms,
        .body_bytes = config->body_bytes,
        .big_body_bytes = config->batch_body_bytes,
        .takes_big_body = ph_api_takes_big_body,
        .on_thread_start = thread_start,
        .on_thread_stop = thread_stop,
        .on_request = ph_api_on_request,
        .ctx = s,
    };
    enum ph_err err = ph_http_server_start(&options, &s->problems, &http);

    if (err != PH_OK)
        return err;
    ph_buf_printf(&s->url, "http://%s", ph_http_server_address(http));
    ph_buf_add_char(&s->url, '\0');
    ph_http_server_own_address(http, &s->node->address);
    atomic_store(&s->node->url, s->url.ptr);
    atomic_store(&s->http, http);
    return PH_OK;
}

static enum ph_err start_node(struct server *s)
{
    struct ph_node *node = s->node;
    int wanted = s->config->delivery_threads ? (int)s->config->delivery_threads : cores_half();

    node->config = s->config;
    node->rates = ph_rate_table_new();
    node->keyring = s->keyring;
    node->guard = s->guard;
    node->forwarded = s->forwarded;
    node->proxy = s->proxy;
    node->couriers = s->couriers;
    node->counts = ph_counts_new();
    for (; node->n_couriers < wanted && node->n_couriers < COURIERS_MAX; node->n_couriers++) {
        enum ph_err err =
            ph_courier_start(node, node->n_couriers, &s->problems, &s->couriers[node->n_couriers]);
        if (err != PH_OK)
            return err;
    }
    ph_dispatcher_start(node, application_changed, s);
    s->mailer = ph_mailer_start(node);
    return PH_OK;
}

/* Asks each http thread whether its database connections are up. */
struct probe {
    struct ph_task task;
    struct ph_api *api;
    bool ready;
    sem_t done;
};

static void run_probe(struct ph_task *task)
{
    struct probe *probe = ph_container_of(task, struct probe, task);
    const struct ph_api *api = probe->api;

    probe->ready = ph_db_ready(api->db) && ph_db_ready(api->engine_db) &&
                   ph_db_ready(api->changes) && ph_ingest_ready(api->ingest);
    sem_post(&probe->done);
}

static bool thread_ready(struct ph_http_server *http, int index)
{
    struct probe probe = {.task.run = run_probe, .api = ph_http_server_thread(http, index)};

    sem_init(&probe.done, 0, 0);
    ph_loop_post(ph_http_server_loop(http, index), &probe.task);
    while (sem_wait(&probe.done) != 0)
        ;
    sem_destroy(&probe.done);
    return probe.ready;
}

/* False: asked to stop before. */
static bool wait_until_ready(struct server *s)
{
    struct ph_http_server *http = atomic_load(&s->http);

    for (int i = 0; i < ph_http_server_threads(http);) {
        struct timespec wait = {.tv_nsec = 5 * 1000 * 1000};
        if (thread_ready(http, i)) {
            i++;
            continue;
        }
        if (sigtimedwait(&s->signals, NULL, &wait) > 0)
            return false;
    }
    return true;
}

static enum ph_err write_ready_file(struct server *s, const char *url)
{
    const struct ph_serve_options *o = s->options;
    json_t *ready = json_pack("{s:s, s:s?, s:s?}", "url", url, "api_key", o->ready_api_key,
                              "tenant_id", o->ready_tenant);
    char *text = json_dumps(ready, 0);
    enum ph_err err = ph_file_replace(o->ready_file, ph_str_of(text), 0600);

    if (err != PH_OK)
        ph_log(PH_LOG_ERROR, "the ready file cannot be written", ph_log_s("file", o->ready_file));
    free(text);
    json_decref(ready);
    return err;
}

static enum ph_err announce(struct server *s)
{
    const struct ph_serve_options *o = s->options;
    const char *url = s->url.ptr; /* not the public one: who has started us wants to reach us */
    enum ph_err err = PH_OK;

    ph_log(PH_LOG_INFO, "serving", ph_log_s("url", url),
           ph_log_i("http_threads", ph_http_server_threads(atomic_load(&s->http))),
           ph_log_i("delivery_threads", s->node->n_couriers));
    if (o->ready_file)
        err = write_ready_file(s, url);
    if (err == PH_OK && o->on_ready)
        o->on_ready(url, o->ctx);
    return err;
}

static void stop(struct server *s)
{
    uint64_t deadline_ms = ph_clock_mono_ms() + (uint64_t)s->config->stop_timeout_ms;
    struct ph_http_server *http = atomic_load(&s->http);
    struct ph_node *node = s->node;

    if (node->dispatcher)
        ph_dispatcher_pause(node->dispatcher);
    ph_mailer_stop(s->mailer);
    if (http)
        ph_http_server_stop(http, s->config->stop_timeout_ms);
    for (int i = 0; i < node->n_couriers; i++)
        ph_courier_stop(s->couriers[i], deadline_ms);
    for (int i = 0; i < node->n_couriers; i++)
        ph_courier_join(s->couriers[i]);
    if (node->dispatcher)
        ph_dispatcher_stop(node->dispatcher);
    for (int i = 0; i < node->n_couriers; i++)
        ph_courier_free(s->couriers[i]);
}

static void log_problems(struct server *s)
{
    struct ph_str rest = ph_buf_str(&s->problems), line;

    while (rest.len && ph_str_split(&rest, '\n', &line))
        if (line.len)
            ph_log(PH_LOG_ERROR, "cannot start", ph_log_str("reason", line));
}

int ph_serve_run(const struct ph_config *config, const struct ph_serve_options *options)
{
    struct server *s = ph_calloc(1, sizeof *s);
    int code = PH_EXIT_FAILURE;
    enum ph_err err;

    s->config = config;
    s->options = options;
    ph_buf_init(&s->problems, 1 << 16);
    ph_buf_init(&s->url, 1024);
    block_signals(&s->signals);
    raise_descriptor_limit();
    err = check_settings(s);
    if (err == PH_OK)
        err = open_database(s);
    if (err == PH_OK)
        err = start_node(s);
    if (err == PH_OK)
        err = start_http(s);
    if (err == PH_OK && (!wait_until_ready(s) || announce(s) == PH_OK)) {
        int signal_number = s->stop_signal;
        while (!signal_number && sigwait(&s->signals, &signal_number) != 0)
            ;
        ph_log(PH_LOG_INFO, "stopping", ph_log_i("signal", signal_number));
        code = PH_EXIT_OK;
    } else if (s->stop_signal) {
        code = PH_EXIT_OK;
    }
    log_problems(s);
    stop(s);
    ph_guard_free(s->guard);
    ph_forwarded_free(s->forwarded);
    ph_proxy_free(s->proxy);
    ph_keyring_free(s->keyring);
    ph_counts_free(s->node->counts);
    if (s->node)
        ph_rate_table_free(s->node->rates);
    free(s->node);
    ph_buf_free(&s->problems);
    ph_buf_free(&s->url);
    free(s);
    return code;
}

static const char usage[] =
    "usage: posthorn serve [options]\n"
    "\n"
    "Runs a node: the REST interface and the deliveries. Needs POSTHORN_DATABASE_URL (brought\n"
    "up to date by `posthorn migrate`) and POSTHORN_MASTER_KEY.\n"
    "\n"
    "  --listen ADDR:PORT   where to listen (POSTHORN_LISTEN, 127.0.0.1:8071)\n"
    "  --ready-file FILE    write {\"url\",\"api_key\",\"tenant_id\"} there once it serves\n"
    "  --help               show this\n";

int ph_role_serve(int argc, char **argv)
{
    enum { LISTEN = 256, READY, HELP };
    static const struct option known[] = {
        {"listen", required_argument, NULL, LISTEN},
        {"ready-file", required_argument, NULL, READY},
        {"help", no_argument, NULL, HELP},
        {NULL, 0, NULL, 0},
    };
    struct ph_serve_options options = {.share_address = true};
    struct ph_config config;
    int c;

    optind = 0;
    while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (c) {
        case LISTEN:
            options.listen = optarg;
            break;
        case READY:
            options.ready_file = optarg;
            break;
        case HELP:
            fputs(usage, stdout);
            return PH_EXIT_OK;
        default:
            return PH_EXIT_USAGE;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "%s: unexpected argument \"%s\"\n", argv[0], argv[optind]);
        return PH_EXIT_USAGE;
    }
    if (ph_role_load_database(argv[0], &config) != PH_OK)
        return PH_EXIT_FAILURE;
    return ph_serve_run(&config, &options);
}
