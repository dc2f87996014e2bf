#include "posthorn/cluster.h"
#include "posthorn/file.h"
#include "posthorn/log.h"
#include "posthorn/migrate.h"
#include "posthorn/role.h"
#include "posthorn/serve.h"
#include "role/demo.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static const char usage[] =
    "usage: posthorn dev [options]\n"
    "\n"
    "A server to try things out with: starts a PostgreSQL of its own, makes a tenant with an API\n"
    "key, and serves until Ctrl-C. Deliveries may go to this machine.\n"
    "\n"
    "  --listen ADDR:PORT   where to listen (POSTHORN_LISTEN, 127.0.0.1:8071)\n"
    "  --data DIR           where everything is kept between starts (var/dev)\n"
    "  --ready-file FILE    write {\"url\",\"api_key\",\"tenant_id\"} there once it serves\n"
    "  --help               show this\n"
    "\n"
    "With POSTHORN_DATABASE_URL it uses that database instead. All settings apply.\n";

struct options {
    const char *listen;
    const char *data;
    const char *ready_file;
};

static int parse(int argc, char **argv, struct options *out)
{
    enum { LISTEN = 256, DATA, READY, HELP };
    static const struct option known[] = {
        {"listen", required_argument, NULL, LISTEN},
        {"data", required_argument, NULL, DATA},
        {"ready-file", required_argument, NULL, READY},
        {"help", no_argument, NULL, HELP},
        {NULL, 0, NULL, 0},
    };
    struct options options = {.data = "var/dev"};
    int c;
    optind = 0;
    while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (c) {
        case LISTEN:
            options.listen = optarg;
            break;
        case DATA:
            options.data = optarg;
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
    *out = options;
    return -1;
}

/* One start, from the data folder to the end of the server. */
struct dev {
    const char *command;
    struct ph_arena *arena;
    struct ph_buf problems;
    struct ph_config config;
    const char *dir; /* absolute */
    int lock;
    struct ph_cluster *cluster; /* NULL: the database is somebody else's */
    struct ph_demo demo;
};

/* The folder, and a lock on it for as long as this process lives. */
static enum ph_err open_folder(struct dev *dev, const char *data)
{
    char *dir = NULL;
    if (ph_file_make_folders(data, 0755) != PH_OK || (dir = realpath(data, NULL)) == NULL) {
        ph_buf_printf(&dev->problems, "%s: %s\n", data, strerror(errno));
        return PH_ERR_IO;
    }
    dev->dir = ph_arena_strdup(dev->arena, dir);
    free(dir);
    const char *path = ph_arena_printf(dev->arena, "%s/lock", dev->dir);
    dev->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (dev->lock < 0) {
        ph_buf_printf(&dev->problems, "%s: %s\n", path, strerror(errno));
        return PH_ERR_IO;
    }
    if (flock(dev->lock, LOCK_EX | LOCK_NB) == 0)
        return PH_OK;
    if (errno == EWOULDBLOCK)
        ph_buf_printf(&dev->problems, "%s is in use by another posthorn dev.\n", dev->dir);
    else
        ph_buf_printf(&dev->problems, "%s: %s\n", path, strerror(errno));
    return PH_ERR_CONFIG;
}

/* libpq's variables would bend the connection to the private server. */
static void forget_libpq_variables(struct ph_arena *arena)
{
    extern char **environ;
    for (char **entry = environ; *entry != NULL;) {
        const char *end = strchr(*entry, '=');
        if (strncmp(*entry, "PG", 2) != 0 || end == NULL) {
            entry++;
            continue;
        }
        unsetenv(ph_arena_copy(arena, *entry, (size_t)(end - *entry)));
        entry = environ;
    }
}

static enum ph_err open_database(struct dev *dev)
{
    if (dev->config.database_url[0] == '\0') {
        forget_libpq_variables(dev->arena);
        enum ph_err err = ph_cluster_start(dev->dir, &dev->problems, &dev->cluster);
        if (err != PH_OK)
            return err;
        dev->config.database_url = ph_cluster_conninfo(dev->cluster);
    }
    int applied;
    enum ph_err err = ph_migrate(dev->config.database_url, ph_migrations, &applied);
    if (err == PH_ERR_UNAVAILABLE && dev->cluster == NULL)
        ph_buf_printf(&dev->problems, "The database of POSTHORN_DATABASE_URL cannot be reached.\n");
    else if (err != PH_OK)
        ph_buf_printf(&dev->problems, "The database cannot be brought up to date: %s\n",
                      ph_err_text(err));
    return err;
}

static enum ph_err prepare(struct dev *dev, const char *data)
{
    enum ph_err err = open_folder(dev, data);
    if (err == PH_OK)
        err = ph_demo_open(dev->arena, dev->dir, dev->config.database_url, &dev->problems,
                           &dev->demo);
    if (err == PH_OK)
        err = open_database(dev);
    if (err == PH_OK)
        err = ph_demo_ensure(dev->arena, &dev->demo, dev->config.database_url, &dev->problems);
    if (err != PH_OK)
        return err;
    if (dev->config.master_key[0] == '\0')
        dev->config.master_key = dev->demo.master_key;
    if (getenv("POSTHORN_GUARD_ALLOW") == NULL)
        dev->config.guard_allow = "127.0.0.0/8,::1/128";
    return PH_OK;
}

static void on_ready(const char *url, void *ctx)
{
    struct dev *dev = ctx;
    const char *psql = NULL;
    if (dev->cluster != NULL) {
        const struct ph_cluster_place *place = ph_cluster_place(dev->cluster);
        psql = ph_arena_printf(dev->arena, "-h %s -U posthorn posthorn", place->socket_dir);
        if (place->detour != NULL)
            printf("(User %s, as whom PostgreSQL runs, cannot enter %s: the database is in %s.)\n",
                   place->user, place->detour, place->folder);
    }
    ph_demo_print(&dev->demo, url, program_invocation_name, psql);
    fflush(stdout);
}

static int serve(struct dev *dev, const struct options *options)
{
    const struct ph_serve_options serve_options = {
        .listen = options->listen,
        .ready_file = options->ready_file,
        .ready_api_key = dev->demo.api_key,
        .ready_tenant = dev->demo.tenant,
        .on_ready = on_ready,
        .ctx = dev,
    };
    int code = ph_serve_run(&dev->config, &serve_options);
    return dev->cluster != NULL && ph_cluster_lost(dev->cluster) ? PH_EXIT_FAILURE : code;
}

static void print_problems(struct dev *dev)
{
    struct ph_str rest = ph_str_trim(ph_buf_str(&dev->problems));
    struct ph_str line;
    while (ph_str_split(&rest, '\n', &line))
        fprintf(stderr, "%s: %.*s\n", dev->command, (int)line.len, line.ptr);
}

int ph_role_dev(int argc, char **argv)
{
    struct options options;
    int code = parse(argc, argv, &options);
    if (code >= 0)
        return code;
    struct dev dev = {.command = argv[0], .arena = ph_arena_new(), .lock = -1};
    ph_buf_init(&dev.problems, 1 << 20);
    code = PH_EXIT_FAILURE;
    if (ph_role_load_config(argv[0], &dev.config) != PH_OK)
        goto out;
    if (prepare(&dev, options.data) == PH_OK)
        code = serve(&dev, &options);
    else
        print_problems(&dev);
out:
    ph_cluster_stop(dev.cluster);
    if (dev.lock >= 0)
        close(dev.lock);
    ph_buf_free(&dev.problems);
    ph_arena_free(dev.arena);
    return code;
}
