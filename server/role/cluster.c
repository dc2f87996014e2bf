#include "posthorn/cluster.h"

#include "posthorn/clock.h"
#include "posthorn/file.h"
#include "posthorn/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <libpq-fe.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define DATABASE      "posthorn"
#define LOG_BYTES_MAX (10 << 20)
/* a server that an earlier process left behind is ending: fast at first, then harder */
#define OLD_FAST_MS 60000
#define OLD_HARD_MS 10000
/* crash recovery replays up to max_wal_size */
#define START_MS     600000
#define STOP_FAST_MS 120000

struct ph_cluster {
    struct ph_arena *arena;
    struct ph_cluster_place place;
    const char *conninfo;
    pid_t postmaster; /* 0: not running */
    bool watched;
    pthread_t watcher; /* waits for the postmaster's end */
    atomic_bool stopping;
    atomic_bool lost;
};

static void pause_ms(int ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000L};
    nanosleep(&t, NULL);
}

/* ---- children ---- */

static void become_plain(void)
{
    static const int reset[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGTERM,
                                SIGPIPE, SIGCHLD, SIGUSR1, SIGUSR2};
    for (size_t i = 0; i < sizeof(reset) / sizeof(reset[0]); i++)
        signal(reset[i], SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    umask(077);
}

/* In the child: everything up to exec. The log is opened as the cluster's user, in whose folder it is. */
static void exec_child(const struct ph_cluster_place *place, char *const argv[], pid_t parent,
                       int death_signal, bool own_session)
{
    static char *environment[] = {"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C", "TZ=UTC", NULL};
    become_plain();
    if (own_session)
        setsid();
    if (!ph_cluster_become_user(place))
        _exit(126);
    /* changing the user clears it, so it comes after; the parent may have gone before it was set */
    prctl(PR_SET_PDEATHSIG, death_signal);
    if (getppid() != parent)
        _exit(126);
    int null = open("/dev/null", O_RDONLY);
    int log = open(place->log, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW, 0600);
    if (null < 0 || log < 0 || chdir(place->folder) != 0 || dup2(null, 0) < 0 || dup2(log, 1) < 0 ||
        dup2(log, 2) < 0)
        _exit(126);
    close_range(3, ~0U, 0);
    execve(argv[0], argv, environment);
    dprintf(2, "%s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

/* Starts a program as the cluster's user, output to its log. When this process dies, it is sent death_signal. */
static pid_t spawn(const struct ph_cluster_place *place, char *const argv[], int death_signal,
                   bool own_session)
{
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0)
        exec_child(place, argv, parent, death_signal, own_session);
    return pid;
}

static bool wait_success(pid_t pid)
{
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return false;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

/* Removes what a broken initdb left, as the cluster's user: the folder is that user's. */
static bool remove_tree(const struct ph_cluster_place *place, const char *path)
{
    pid_t pid = fork();
    if (pid == 0) {
        struct stat st;
        if (!ph_cluster_become_user(place))
            _exit(126);
        if (lstat(path, &st) != 0)
            _exit(errno == ENOENT ? 0 : 1);
        _exit(nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0 ? 0 : 1);
    }
    return pid > 0 && wait_success(pid);
}

/* ---- log ---- */

static void rotate_log(struct ph_arena *arena, const struct ph_cluster_place *place)
{
    struct stat st;
    if (lstat(place->log, &st) == 0 && st.st_size > LOG_BYTES_MAX)
        (void)!rename(place->log, ph_arena_printf(arena, "%s.1", place->log));
}

/* Appends the log's last lines, which say why a start failed. */
static void add_log_tail(const struct ph_cluster_place *place, struct ph_buf *problems)
{
    char tail[1500];
    int fd = open(place->log, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return;
    off_t end = lseek(fd, 0, SEEK_END);
    off_t from = end > (off_t)sizeof(tail) ? end - (off_t)sizeof(tail) : 0;
    ssize_t n = pread(fd, tail, sizeof(tail), from);
    close(fd);
    struct ph_str rest = {tail, n > 0 ? (size_t)n : 0};
    struct ph_str line;
    if (from > 0)
        ph_str_split(&rest, '\n', &line); /* the cut one */
    ph_buf_printf(problems, "The last lines of %s:\n", place->log);
    while (ph_str_split(&rest, '\n', &line)) {
        if (line.len > 0)
            ph_buf_printf(problems, "  %.*s\n", (int)line.len, line.ptr);
    }
}

/* ---- making the cluster ---- */

static enum ph_err make_data(struct ph_arena *arena, const struct ph_cluster_place *place,
                             struct ph_buf *problems)
{
    struct stat st;
    if (stat(place->data, &st) == 0)
        return PH_OK;
    /* made beside its place and renamed when complete, so that a kill or a crash leaves no half of one */
    char *fresh = ph_arena_printf(arena, "%s.new", place->data);
    char *argv[] = {ph_arena_printf(arena, "%s/initdb", place->bin),
                    "-D",
                    fresh,
                    "-U",
                    "posthorn",
                    "--auth=trust",
                    "--encoding=UTF8",
                    "--locale=C",
                    NULL};
    if (!remove_tree(place, fresh)) {
        ph_buf_printf(problems, "%s cannot be removed.\n", fresh);
        return PH_ERR_IO;
    }
    pid_t pid = spawn(place, argv, SIGTERM, false);
    if (pid < 0 || !wait_success(pid)) {
        ph_buf_printf(problems, "initdb failed in %s.\n", place->folder);
        add_log_tail(place, problems);
        return PH_ERR_IO;
    }
    if (rename(fresh, place->data) != 0) {
        ph_buf_printf(problems, "%s: %s\n", place->data, strerror(errno));
        return PH_ERR_IO;
    }
    return PH_OK;
}

/* ---- a server left behind ---- */

/* Whether it is a process of a server of this data folder: all of them have it as their working directory. */
static bool is_server(pid_t pid, const struct stat *data)
{
    char link[64], exe[4096];
    struct stat cwd;
    snprintf(link, sizeof(link), "/proc/%d/cwd", (int)pid);
    if (stat(link, &cwd) != 0 || cwd.st_dev != data->st_dev || cwd.st_ino != data->st_ino)
        return false;
    snprintf(link, sizeof(link), "/proc/%d/exe", (int)pid);
    ssize_t n = readlink(link, exe, sizeof(exe) - 1);
    if (n <= 0)
        return false;
    exe[n] = '\0';
    const char *name = strrchr(exe, '/');
    return name != NULL && strncmp(name, "/postgres", strlen("/postgres")) == 0;
}

/* Sends the signal (0: none) to every process of a server of this data folder; returns how many there are. */
static int signal_servers(const struct stat *data, int signal_number)
{
    DIR *processes = opendir("/proc");
    int count = 0;
    struct dirent *entry;
    while (processes != NULL && (entry = readdir(processes)) != NULL) {
        int64_t pid;
        if (ph_str_to_i64(ph_str_of(entry->d_name), &pid) != PH_OK || pid <= 1 ||
            !is_server((pid_t)pid, data))
            continue;
        kill((pid_t)pid, signal_number);
        count++;
    }
    if (processes != NULL)
        closedir(processes);
    return count;
}

static bool await_no_servers(const struct stat *data, int64_t timeout_ms)
{
    uint64_t until = ph_clock_mono_ms() + (uint64_t)timeout_ms;
    while (signal_servers(data, 0) > 0) {
        if (ph_clock_mono_ms() >= until)
            return false;
        pause_ms(20);
    }
    return true;
}

static pid_t read_pid(const char *pid_file)
{
    struct ph_buf buf;
    ph_buf_init(&buf, 4096);
    int64_t pid = 0;
    if (ph_file_read(pid_file, &buf) == PH_OK) {
        struct ph_str rest = ph_buf_str(&buf);
        struct ph_str line;
        if (!ph_str_split(&rest, '\n', &line) || ph_str_to_i64(ph_str_trim(line), &pid) != PH_OK)
            pid = 0;
    }
    ph_buf_free(&buf);
    return (pid_t)pid;
}

/* The caller's lock says that no other dev uses this folder, so a server in it is an orphan that is ending or has to. */
static enum ph_err end_old_server(struct ph_arena *arena, const struct ph_cluster_place *place,
                                  struct ph_buf *problems)
{
    const char *pid_file = ph_arena_printf(arena, "%s/postmaster.pid", place->data);
    struct stat data;
    if (stat(place->data, &data) != 0)
        goto failed;
    if (signal_servers(&data, 0) > 0) {
        pid_t postmaster = read_pid(pid_file);
        bool ended = false;
        if (postmaster > 1 && is_server(postmaster, &data)) {
            kill(postmaster, SIGINT); /* fast shutdown */
            ended = await_no_servers(&data, OLD_FAST_MS);
        }
        if (!ended) {
            signal_servers(&data, SIGQUIT); /* at once; the next start recovers */
            ended = await_no_servers(&data, OLD_HARD_MS);
        }
        if (!ended) {
            ph_buf_printf(problems, "A PostgreSQL server still runs in %s.\n", place->data);
            return PH_ERR_CONFIG;
        }
    }
    /* the number in it may belong to another process by now, which PostgreSQL would take for a server */
    if (unlink(pid_file) == 0 || errno == ENOENT)
        return PH_OK;
failed:
    ph_buf_printf(problems, "%s: %s\n", pid_file, strerror(errno));
    return PH_ERR_IO;
}

/* ---- running it ---- */

static pid_t start_postmaster(struct ph_arena *arena, const struct ph_cluster_place *place)
{
    char *argv[] = {ph_arena_printf(arena, "%s/postgres", place->bin),
                    "-D",
                    (char *)place->data,
                    "-k",
                    (char *)place->socket_dir,
                    "-c",
                    "listen_addresses=",
                    "-c",
                    "port=5432",
                    "-c",
                    "unix_socket_permissions=0700",
                    "-c",
                    "fsync=on",
                    "-c",
                    "synchronous_commit=on",
                    "-c",
                    "full_page_writes=on",
                    "-c",
                    "shared_buffers=256MB",
                    "-c",
                    "max_connections=200",
                    "-c",
                    "wal_compression=on",
                    "-c",
                    "max_wal_size=4GB",
                    "-c",
                    "checkpoint_timeout=15min",
                    "-c",
                    "logging_collector=off",
                    "-c",
                    "log_destination=stderr",
                    "-c",
                    "log_line_prefix=%m [%p] ",
                    NULL};
    /* a session of its own keeps the terminal's Ctrl-C from it: it is stopped last. SIGINT is its fast shutdown. */
    return spawn(place, argv, SIGINT, true);
}

/* libpq's quoting of a value in a connection string. */
static char *quote(struct ph_arena *arena, const char *value)
{
    char *out = ph_arena_alloc(arena, 2 * strlen(value) + 3);
    char *p = out;
    *p++ = '\'';
    for (; *value != '\0'; value++) {
        if (*value == '\'' || *value == '\\')
            *p++ = '\\';
        *p++ = *value;
    }
    *p = '\'';
    return out;
}

static char *conninfo_of(struct ph_arena *arena, const struct ph_cluster_place *place,
                         const char *database)
{
    return ph_arena_printf(arena, "host=%s port=5432 user=posthorn dbname=%s",
                           quote(arena, place->socket_dir), database);
}

/* Waits until the server accepts connections. UNAVAILABLE: it ended, or the time is up. */
static enum ph_err await_ready(struct ph_cluster *cluster)
{
    const char *conninfo = conninfo_of(cluster->arena, &cluster->place, "postgres");
    uint64_t until = ph_clock_mono_ms() + START_MS;
    for (int tries = 0; ph_clock_mono_ms() < until; tries++) {
        if (waitpid(cluster->postmaster, NULL, WNOHANG) != 0) {
            cluster->postmaster = 0;
            return PH_ERR_UNAVAILABLE;
        }
        if (PQping(conninfo) == PQPING_OK)
            return PH_OK;
        if (tries == 200)
            ph_log(PH_LOG_INFO, "waiting for PostgreSQL", ph_log_s("log", cluster->place.log));
        pause_ms(50);
    }
    return PH_ERR_UNAVAILABLE;
}

static enum ph_err run_server(struct ph_cluster *cluster, struct ph_buf *problems)
{
    cluster->postmaster = start_postmaster(cluster->arena, &cluster->place);
    if (cluster->postmaster < 0) {
        cluster->postmaster = 0;
        ph_buf_printf(problems, "A process cannot be started: %s\n", strerror(errno));
        return PH_ERR_IO;
    }
    enum ph_err err = await_ready(cluster);
    if (err != PH_OK) {
        ph_buf_printf(problems, "PostgreSQL did not start in %s.\n", cluster->place.folder);
        add_log_tail(&cluster->place, problems);
    }
    return err;
}

static enum ph_err make_database(struct ph_cluster *cluster, struct ph_buf *problems)
{
    enum ph_err err = PH_ERR_UNAVAILABLE;
    PGresult *res = NULL;
    PGconn *conn = PQconnectdb(conninfo_of(cluster->arena, &cluster->place, "postgres"));
    if (PQstatus(conn) != CONNECTION_OK)
        goto out;
    res = PQexec(conn, "SELECT FROM pg_database WHERE datname = '" DATABASE "'");
    if (PQresultStatus(res) != PGRES_TUPLES_OK)
        goto out;
    if (PQntuples(res) == 0) {
        PQclear(res);
        res = PQexec(conn, "CREATE DATABASE " DATABASE);
        if (PQresultStatus(res) != PGRES_COMMAND_OK)
            goto out;
    }
    err = PH_OK;
out:
    if (err != PH_OK)
        ph_buf_printf(problems, "The database " DATABASE " cannot be made: %s",
                      PQerrorMessage(conn));
    PQclear(res);
    PQfinish(conn);
    return err;
}

/* Without its server this process is of no use: it ends, and says so. */
static void *watch_postmaster(void *arg)
{
    struct ph_cluster *cluster = arg;
    siginfo_t info;
    while (waitid(P_PID, (id_t)cluster->postmaster, &info, WEXITED | WNOWAIT) != 0)
        if (errno != EINTR)
            return NULL;
    if (!atomic_load(&cluster->stopping)) {
        atomic_store(&cluster->lost, true);
        ph_log(PH_LOG_ERROR, "PostgreSQL ended unexpectedly", ph_log_s("log", cluster->place.log));
        kill(getpid(), SIGTERM);
    }
    return NULL;
}

static void start_watcher(struct ph_cluster *cluster)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    cluster->watched = pthread_create(&cluster->watcher, NULL, watch_postmaster, cluster) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

enum ph_err ph_cluster_start(const char *dir, struct ph_buf *problems, struct ph_cluster **out)
{
    struct ph_cluster *cluster = ph_calloc(1, sizeof(*cluster));
    cluster->arena = ph_arena_new();
    enum ph_err err = ph_cluster_place_find(cluster->arena, dir, problems, &cluster->place);
    if (err != PH_OK)
        goto out;
    cluster->conninfo = conninfo_of(cluster->arena, &cluster->place, DATABASE);
    rotate_log(cluster->arena, &cluster->place);
    if ((err = make_data(cluster->arena, &cluster->place, problems)) != PH_OK ||
        (err = end_old_server(cluster->arena, &cluster->place, problems)) != PH_OK ||
        (err = run_server(cluster, problems)) != PH_OK ||
        (err = make_database(cluster, problems)) != PH_OK)
        goto out;
    start_watcher(cluster);
    *out = cluster;
    cluster = NULL;
out:
    ph_cluster_stop(cluster);
    return err;
}

const struct ph_cluster_place *ph_cluster_place(const struct ph_cluster *cluster)
{
    return &cluster->place;
}

const char *ph_cluster_conninfo(const struct ph_cluster *cluster)
{
    return cluster->conninfo;
}

bool ph_cluster_lost(const struct ph_cluster *cluster)
{
    return atomic_load(&cluster->lost);
}

static bool wait_end(pid_t pid, int64_t timeout_ms)
{
    uint64_t until = ph_clock_mono_ms() + (uint64_t)timeout_ms;
    while (waitpid(pid, NULL, WNOHANG) == 0) {
        if (ph_clock_mono_ms() >= until)
            return false;
        pause_ms(10);
    }
    return true;
}

void ph_cluster_stop(struct ph_cluster *cluster)
{
    if (cluster == NULL)
        return;
    atomic_store(&cluster->stopping, true);
    if (cluster->postmaster != 0) {
        kill(cluster->postmaster, SIGINT);
        if (!wait_end(cluster->postmaster, STOP_FAST_MS)) {
            kill(cluster->postmaster, SIGQUIT);
            if (!wait_end(cluster->postmaster, OLD_HARD_MS))
                kill(cluster->postmaster, SIGKILL);
        }
    }
    if (cluster->watched)
        pthread_join(cluster->watcher, NULL);
    if (cluster->place.socket_dir != cluster->place.folder)
        rmdir(cluster->place.socket_dir);
    ph_arena_free(cluster->arena);
    free(cluster);
}
