/*
 * The private PostgreSQL of `posthorn dev`: found, made, started as a child of this process and stopped with it.
 *
 * It listens on a unix socket only, in a folder that nobody else can enter. Started by root it runs as another user,
 * because PostgreSQL refuses root. Main thread, before other threads start: it forks.
 */
#ifndef POSTHORN_CLUSTER_H
#define POSTHORN_CLUSTER_H

#include "posthorn/arena.h"
#include "posthorn/str.h"

#include <sys/types.h>

/* Longest path of a unix socket, without its NUL. */
#define PH_SOCKET_PATH_MAX 107

/* Where the cluster is and as whom it runs. Strings live in the arena. */
struct ph_cluster_place {
    const char *bin;        /* folder of the PostgreSQL programs */
    const char *folder;     /* holds data, log and usually the socket; mode 0700 */
    const char *data;       /* folder/data */
    const char *log;        /* folder/log */
    const char *socket_dir; /* folder, or a short one under /tmp when that path is too long */
    bool switch_user;       /* this process is root: the cluster runs as uid and gid */
    uid_t uid;
    gid_t gid;
    const char *user; /* name of uid, for messages */
    const char *
        detour; /* NULL, or the folder that `user` cannot enter, which is why `folder` is elsewhere */
};

/*
 * Decides where the cluster of `dir` (absolute, exists) is, and makes its folders. Usually dir/postgres. When root's other
 * user cannot enter dir, a folder of its own under /var/lib, whose path is kept in dir/postgres.path.
 * CONFIG or IO: a line in problems says why.
 */
PH_MUST_CHECK enum ph_err ph_cluster_place_find(struct ph_arena *arena, const char *dir,
                                                struct ph_buf *problems,
                                                struct ph_cluster_place *out);

/* Whether dir/.s.PGSQL.5432 is short enough for a unix socket. */
bool ph_cluster_socket_fits(const char *dir);

/* In a forked child: becomes the cluster's user for good. False: errno says why. */
bool ph_cluster_become_user(const struct ph_cluster_place *place);

/* The PostgreSQL programs: of this major version, or the newest for 0. NULL: there are none. */
const char *ph_cluster_find_bin(struct ph_arena *arena, int major);

struct ph_cluster;

/*
 * Starts it: makes the cluster and the database `posthorn` when missing, ends or awaits a server that an earlier process
 * left behind, and returns when connections are accepted. The caller holds a lock that keeps a second process off `dir`.
 * When the server ends by itself later, this process is sent SIGTERM and ph_cluster_lost is true.
 * CONFIG, IO or UNAVAILABLE: lines in problems say why.
 */
PH_MUST_CHECK enum ph_err ph_cluster_start(const char *dir, struct ph_buf *problems,
                                           struct ph_cluster **out);
const struct ph_cluster_place *ph_cluster_place(const struct ph_cluster *cluster);
/* libpq connection string of the database. */
const char *ph_cluster_conninfo(const struct ph_cluster *cluster);
bool ph_cluster_lost(const struct ph_cluster *cluster);
/* Stops the server in good order and frees. NULL is allowed. */
void ph_cluster_stop(struct ph_cluster *cluster);

#endif
