/*
 * Small files and folders of the program's roles. Everything blocks; main thread.
 */
#ifndef POSTHORN_FILE_H
#define POSTHORN_FILE_H

#include "posthorn/str.h"

#include <sys/types.h>

/* Makes the folder and its missing parents with this mode, whatever the umask. IO: errno says why. */
PH_MUST_CHECK enum ph_err ph_file_make_folders(const char *path, mode_t mode);

/* Appends the whole file. NOT_FOUND: there is none; IO: errno says why; TOO_LARGE: longer than the buffer may be. */
PH_MUST_CHECK enum ph_err ph_file_read(const char *path, struct ph_buf *out);

/* Replaces the file in one step, written to the disk first: a reader sees the old or the new one. IO: errno says why. */
PH_MUST_CHECK enum ph_err ph_file_replace(const char *path, struct ph_str bytes, mode_t mode);

/* Writes all bytes to a descriptor. IO: errno says why. */
PH_MUST_CHECK enum ph_err ph_file_write_fd(int fd, struct ph_str bytes);

#endif
