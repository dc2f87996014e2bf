#include "posthorn/cluster.h"

#include "posthorn/file.h"

#include <errno.h>
#include <glob.h>
#include <grp.h>
#include <pwd.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Where a cluster goes when its own folder cannot be entered. */
#define DETOUR_PARENT "/var/lib"

/* ---- programs ---- */

static bool has_programs(struct ph_arena *arena, const char *bin)
{
    return access(ph_arena_printf(arena, "%s/initdb", bin), X_OK) == 0 &&
           access(ph_arena_printf(arena, "%s/postgres", bin), X_OK) == 0;
}

static const char *find_packaged(struct ph_arena *arena, int major)
{
    glob_t found;
    if (glob("/usr/lib/postgresql/*/bin", 0, NULL, &found) != 0)
        return NULL;
    int64_t best = 0;
    const char *bin = NULL;
    for (size_t i = 0; i < found.gl_pathc; i++) {
        struct ph_str rest = ph_str_of(found.gl_pathv[i] + strlen("/usr/lib/postgresql/"));
        struct ph_str name;
        int64_t version;
        if (!ph_str_split(&rest, '/', &name) || ph_str_to_i64(name, &version) != PH_OK ||
            version <= best || (major != 0 && version != major) ||
            !has_programs(arena, found.gl_pathv[i]))
            continue;
        best = version;
        bin = ph_arena_strdup(arena, found.gl_pathv[i]);
    }
    globfree(&found);
    return bin;
}

const char *ph_cluster_find_bin(struct ph_arena *arena, int major)
{
    const char *bin = find_packaged(arena, major);
    struct ph_str rest = ph_str_of(getenv("PATH"));
    struct ph_str part;
    while (bin == NULL && ph_str_split(&rest, ':', &part)) {
        char *folder = ph_arena_copy(arena, part.ptr, part.len);
        if (folder[0] == '/' && has_programs(arena, folder))
            bin = folder;
    }
    return bin;
}

/* Major version that made the cluster; 0 when there is none yet. */
static int made_by_major(struct ph_arena *arena, const char *data)
{
    struct ph_buf buf;
    ph_buf_init(&buf, 64);
    int64_t major = 0;
    if (ph_file_read(ph_arena_printf(arena, "%s/PG_VERSION", data), &buf) != PH_OK ||
        ph_str_to_i64(ph_str_trim(ph_buf_str(&buf)), &major) != PH_OK)
        major = 0;
    ph_buf_free(&buf);
    return (int)major;
}

/* ---- user ---- */

/* The owner of a cluster that is there, else root's other user, else this user. */
static enum ph_err choose_user(struct ph_arena *arena, struct ph_buf *problems, const char *folder,
                               struct ph_cluster_place *place)
{
    struct stat st;
    uid_t self = geteuid();
    bool exists = stat(folder, &st) == 0;
    place->switch_user = self == 0;
    place->uid = self;
    place->gid = getegid();
    struct passwd *user = NULL;
    if (self == 0) {
        if (exists && st.st_uid != 0)
            user = getpwuid(st.st_uid);
        if (user == NULL)
            user = getpwnam("postgres");
        if (user == NULL)
            user = getpwnam("nobody");
        if (user == NULL || user->pw_uid == 0) {
            ph_buf_printf(problems, "PostgreSQL does not run as root, and there is neither a user "
                                    "postgres nor a user nobody.\n");
            return PH_ERR_CONFIG;
        }
        place->uid = exists && st.st_uid != 0 ? st.st_uid : user->pw_uid;
        place->gid = user->pw_gid;
    } else {
        if (exists && st.st_uid != self) {
            ph_buf_printf(problems,
                          "%s belongs to another user: was dev started as root here before? Start "
                          "it as that user again, or use another --data folder.\n",
                          folder);
            return PH_ERR_CONFIG;
        }
        user = getpwuid(self);
    }
    place->user = user != NULL ? ph_arena_strdup(arena, user->pw_name)
                               : ph_arena_printf(arena, "%u", (unsigned)place->uid);
    return PH_OK;
}

bool ph_cluster_become_user(const struct ph_cluster_place *place)
{
    return !place->switch_user ||
           (setgroups(1, &place->gid) == 0 && setgid(place->gid) == 0 && setuid(place->uid) == 0);
}

/* The outermost folder of the path, itself included, that the cluster's user cannot enter; NULL: none. */
static const char *find_blocked(struct ph_arena *arena, const struct ph_cluster_place *place,
                                const char *path)
{
    if (!place->switch_user)
        return NULL;
    char *copy = ph_arena_strdup(arena, path);
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        /* the exit code counts the components up to the blocked one */
        if (!ph_cluster_become_user(place))
            _exit(1);
        int depth = 1;
        for (char *p = copy + 1; depth < 250; p++) {
            if (*p != '/' && *p != '\0')
                continue;
            char saved = *p;
            *p = '\0';
            if (access(copy, X_OK) != 0)
                _exit(depth);
            *p = saved;
            if (saved == '\0')
                break;
            depth++;
        }
        _exit(0);
    }
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return NULL;
    int depth = pid > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : 1;
    for (char *p = copy + 1; *p != '\0'; p++) {
        if (*p == '/' && --depth == 0) {
            *p = '\0';
            break;
        }
    }
    return copy;
}

/* ---- folders ---- */

/* A folder that only the cluster's user (and root) can enter. */
static enum ph_err make_private(const char *path, const struct ph_cluster_place *place,
                                struct ph_buf *problems)
{
    struct stat st;
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        goto failed;
    if (lstat(path, &st) != 0)
        goto failed;
    if (!S_ISDIR(st.st_mode)) {
        errno = ENOTDIR;
        goto failed;
    }
    if (st.st_uid != place->uid && lchown(path, place->uid, place->gid) != 0)
        goto failed;
    if ((st.st_mode & 0777) != 0700 && chmod(path, 0700) != 0)
        goto failed;
    return PH_OK;
failed:
    ph_buf_printf(problems, "%s: %s\n", path, strerror(errno));
    return PH_ERR_IO;
}

static char *read_line(struct ph_arena *arena, const char *path)
{
    struct ph_buf buf;
    ph_buf_init(&buf, 4096);
    char *line = NULL;
    if (ph_file_read(path, &buf) == PH_OK) {
        struct ph_str s = ph_str_trim(ph_buf_str(&buf));
        if (s.len > 0 && s.ptr[0] == '/')
            line = ph_arena_copy(arena, s.ptr, s.len);
    }
    ph_buf_free(&buf);
    return line;
}

static enum ph_err write_line(const char *path, const char *line, struct ph_buf *problems)
{
    struct ph_buf buf;
    ph_buf_init(&buf, 8192);
    ph_buf_printf(&buf, "%s\n", line);
    enum ph_err err = ph_file_replace(path, ph_buf_str(&buf), 0644);
    if (err != PH_OK)
        ph_buf_printf(problems, "%s: %s\n", path, strerror(errno));
    ph_buf_free(&buf);
    return err;
}

bool ph_cluster_socket_fits(const char *dir)
{
    return strlen(dir) + strlen("/.s.PGSQL.5432") <= PH_SOCKET_PATH_MAX;
}

/* The cluster's folder when that is too deep, a short one under /tmp that is remembered in dir/postgres.socket. */
static enum ph_err choose_socket(struct ph_arena *arena, const char *dir, struct ph_buf *problems,
                                 struct ph_cluster_place *place)
{
    if (ph_cluster_socket_fits(place->folder)) {
        place->socket_dir = place->folder;
        return PH_OK;
    }
    const char *record = ph_arena_printf(arena, "%s/postgres.socket", dir);
    char *path = read_line(arena, record);
    struct stat st;
    if (path != NULL && lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == place->uid &&
        (st.st_mode & 0777) == 0700) {
        place->socket_dir = path;
        return PH_OK;
    }
    path = ph_arena_strdup(arena, "/tmp/posthorn-XXXXXX");
    if (mkdtemp(path) == NULL) {
        ph_buf_printf(problems, "/tmp: %s\n", strerror(errno));
        return PH_ERR_IO;
    }
    place->socket_dir = path;
    enum ph_err err = make_private(path, place, problems);
    return err == PH_OK ? write_line(record, path, problems) : err;
}

/* A new folder under DETOUR_PARENT, remembered in the record. Its name is random: a folder that was deleted and made
 * again must not find the old database. */
static enum ph_err make_detour(struct ph_arena *arena, const char *record, struct ph_buf *problems,
                               struct ph_cluster_place *place)
{
    char name[17];
    uint8_t random[8];
    randombytes_buf(random, sizeof(random));
    ph_hex_encode(random, sizeof(random), name);
    place->folder = ph_arena_printf(arena, DETOUR_PARENT "/posthorn-dev-%s", name);
    if (access(DETOUR_PARENT, W_OK) != 0) {
        ph_buf_printf(problems,
                      "User %s, as whom PostgreSQL runs, cannot enter %s, and %s is not writable. "
                      "Use another --data folder.\n",
                      place->user, place->detour, DETOUR_PARENT);
        return PH_ERR_CONFIG;
    }
    enum ph_err err = make_private(place->folder, place, problems);
    return err == PH_OK ? write_line(record, place->folder, problems) : err;
}

static enum ph_err choose_folder(struct ph_arena *arena, const char *dir, struct ph_buf *problems,
                                 struct ph_cluster_place *place)
{
    const char *usual = ph_arena_printf(arena, "%s/postgres", dir);
    const char *record = ph_arena_printf(arena, "%s/postgres.path", dir);
    const char *recorded = read_line(arena, record);
    const char *folder = recorded != NULL ? recorded : usual;
    const char *data = ph_arena_printf(arena, "%s/data", folder);
    enum ph_err err = choose_user(arena, problems, folder, place);
    if (err != PH_OK)
        return err;

    place->folder = folder;
    struct stat st;
    bool made_before = stat(data, &st) == 0;
    const char *blocked = find_blocked(arena, place, dir);
    if (recorded != NULL) {
        place->detour = blocked != NULL ? blocked : dir;
        if ((err = make_private(folder, place, problems)) != PH_OK)
            return err;
        blocked = find_blocked(arena, place, folder);
    } else if (blocked != NULL && !made_before) {
        place->detour = blocked;
        return make_detour(arena, record, problems, place);
    }
    if (blocked != NULL) {
        ph_buf_printf(problems,
                      "User %s, as whom PostgreSQL runs, can no longer enter %s: allow it (chmod "
                      "o+x), or use another --data folder.\n",
                      place->user, blocked);
        return PH_ERR_CONFIG;
    }
    return make_private(folder, place, problems);
}

enum ph_err ph_cluster_place_find(struct ph_arena *arena, const char *dir, struct ph_buf *problems,
                                  struct ph_cluster_place *out)
{
    struct ph_cluster_place place = {0};
    enum ph_err err = choose_folder(arena, dir, problems, &place);
    if (err != PH_OK)
        return err;
    place.data = ph_arena_printf(arena, "%s/data", place.folder);
    place.log = ph_arena_printf(arena, "%s/log", place.folder);

    int major = made_by_major(arena, place.data);
    place.bin = ph_cluster_find_bin(arena, major);
    if (place.bin == NULL) {
        if (major != 0)
            ph_buf_printf(problems,
                          "%s was made by PostgreSQL %d, which is not installed any more: install "
                          "it, or use another --data folder.\n",
                          place.data, major);
        else
            ph_buf_printf(problems, "PostgreSQL's programs (initdb, postgres) are neither in "
                                    "/usr/lib/postgresql nor on PATH: install them, or set "
                                    "POSTHORN_DATABASE_URL.\n");
        return PH_ERR_CONFIG;
    }
    if ((err = choose_socket(arena, dir, problems, &place)) != PH_OK)
        return err;
    *out = place;
    return PH_OK;
}
