#include "posthorn/file.h"

#include "posthorn/arena.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum ph_err make_folder(const char *path, mode_t mode)
{
    if (mkdir(path, mode) == 0)
        return chmod(path, mode) == 0 ? PH_OK : PH_ERR_IO;
    struct stat st;
    if (errno != EEXIST || stat(path, &st) != 0)
        return PH_ERR_IO;
    errno = ENOTDIR;
    return S_ISDIR(st.st_mode) ? PH_OK : PH_ERR_IO;
}

enum ph_err ph_file_make_folders(const char *path, mode_t mode)
{
    char *copy = ph_strdup(path);
    enum ph_err err = PH_OK;
    for (char *p = copy; err == PH_OK && *p != '\0'; p++) {
        if (*p != '/' || p == copy)
            continue;
        *p = '\0';
        err = make_folder(copy, mode);
        *p = '/';
    }
    if (err == PH_OK)
        err = make_folder(copy, mode);
    free(copy);
    return err;
}

enum ph_err ph_file_read(const char *path, struct ph_buf *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? PH_ERR_NOT_FOUND : PH_ERR_IO;
    enum ph_err err = PH_OK;
    char chunk[4096];
    for (;;) {
        ssize_t n = read(fd, chunk, sizeof(chunk));
        if (n == 0)
            break;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            err = PH_ERR_IO;
            break;
        }
        ph_buf_add(out, chunk, (size_t)n);
        if (out->overflow) {
            err = PH_ERR_TOO_LARGE;
            break;
        }
    }
    int saved = errno;
    close(fd);
    errno = saved;
    return err;
}

enum ph_err ph_file_write_fd(int fd, struct ph_str bytes)
{
    while (bytes.len > 0) {
        ssize_t n = write(fd, bytes.ptr, bytes.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return PH_ERR_IO;
        bytes.ptr += n;
        bytes.len -= (size_t)n;
    }
    return PH_OK;
}

enum ph_err ph_file_replace(const char *path, struct ph_str bytes, mode_t mode)
{
    size_t size = strlen(path) + sizeof(".XXXXXX");
    char *tmp = ph_malloc(size);
    snprintf(tmp, size, "%s.XXXXXX", path);
    enum ph_err err = PH_ERR_IO;
    int fd = mkostemp(tmp, O_CLOEXEC);
    if (fd < 0)
        goto out;
    err = fchmod(fd, mode) == 0 ? ph_file_write_fd(fd, bytes) : PH_ERR_IO;
    if (err == PH_OK && fsync(fd) != 0)
        err = PH_ERR_IO;
    if (err == PH_OK && rename(tmp, path) != 0)
        err = PH_ERR_IO;
    int saved = errno;
    close(fd);
    if (err != PH_OK)
        unlink(tmp);
    errno = saved;
out:
    free(tmp);
    return err;
}
