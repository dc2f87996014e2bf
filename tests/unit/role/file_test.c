#include "posthorn/file.h"

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/posthorn-file-test-XXXXXX";

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL ? -1 : chdir(folder);
}

static int remove_folder(void **state)
{
    (void)state;
    static const char *const made[] = {"file", "a/b/c", "a/b", "a", folder};
    for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++)
        (void)remove(made[i]);
    return access(folder, F_OK) == 0 ? -1 : 0;
}

static int count_entries(void)
{
    DIR *dir = opendir(".");
    int n = 0;
    assert_non_null(dir);
    while (readdir(dir) != NULL)
        n++;
    closedir(dir);
    return n - 2;
}

static void replaces_in_one_step_with_the_mode(void **state)
{
    (void)state;
    struct stat before, after;
    struct ph_buf buf;
    ph_buf_init(&buf, 100);
    mode_t old = umask(077);
    assert_int_equal(ph_file_replace("file", PH_STR("first"), 0644), PH_OK);
    assert_int_equal(stat("file", &before), 0);
    assert_int_equal(before.st_mode & 0777, 0644);
    assert_int_equal(ph_file_replace("file", PH_STR("second\0x"), 0600), PH_OK);
    umask(old);
    assert_int_equal(stat("file", &after), 0);
    assert_int_equal(after.st_mode & 0777, 0600);
    assert_int_not_equal(before.st_ino, after.st_ino);
    assert_int_equal(count_entries(), 1);
    assert_int_equal(ph_file_read("file", &buf), PH_OK);
    assert_int_equal(buf.len, 8);
    assert_memory_equal(buf.ptr, "second\0x", 8);
    ph_buf_free(&buf);
}

static void failed_replace_leaves_nothing(void **state)
{
    (void)state;
    assert_int_equal(ph_file_replace("nowhere/file", PH_STR("x"), 0600), PH_ERR_IO);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(mkdir("a", 0700), 0);
    int before = count_entries();
    assert_int_equal(ph_file_replace("a", PH_STR("x"), 0600), PH_ERR_IO);
    assert_int_equal(errno, EISDIR);
    assert_int_equal(count_entries(), before);
    assert_int_equal(rmdir("a"), 0);
}

static void read_tells_absent_from_unreadable_and_too_long(void **state)
{
    (void)state;
    struct ph_buf buf;
    ph_buf_init(&buf, 4);
    assert_int_equal(ph_file_read("absent", &buf), PH_ERR_NOT_FOUND);
    assert_int_equal(ph_file_read(".", &buf), PH_ERR_IO);
    assert_int_equal(errno, EISDIR);
    assert_int_equal(ph_file_replace("file", PH_STR("12345"), 0600), PH_OK);
    assert_int_equal(ph_file_read("file", &buf), PH_ERR_TOO_LARGE);
    ph_buf_free(&buf);
}

static void makes_parents_with_the_mode_and_keeps_what_is_there(void **state)
{
    (void)state;
    struct stat st;
    mode_t old = umask(077);
    assert_int_equal(mkdir("a", 0700), 0);
    assert_int_equal(ph_file_make_folders("a/b/c", 0755), PH_OK);
    assert_int_equal(ph_file_make_folders("a/b/c", 0711), PH_OK);
    umask(old);
    assert_int_equal(stat("a", &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(stat("a/b/c", &st), 0);
    assert_int_equal(st.st_mode & 0777, 0755);
    assert_int_equal(ph_file_replace("file", PH_STR("x"), 0600), PH_OK);
    assert_int_equal(ph_file_make_folders("file/b", 0755), PH_ERR_IO);
    assert_int_equal(errno, ENOTDIR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replaces_in_one_step_with_the_mode),
        cmocka_unit_test(failed_replace_leaves_nothing),
        cmocka_unit_test(read_tells_absent_from_unreadable_and_too_long),
        cmocka_unit_test(makes_parents_with_the_mode_and_keeps_what_is_there),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
