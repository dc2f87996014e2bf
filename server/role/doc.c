#include "posthorn/config.h"
#include "posthorn/metrics.h"
#include "posthorn/role.h"

#include <stdio.h>
#include <string.h>

static const char usage[] = "usage: posthorn doc settings|metrics\n"
                            "\n"
                            "Prints the README's table of settings or of metrics (Markdown), made "
                            "from the program itself.\n";

int ph_role_doc(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*write)(struct ph_buf *out);
    } tables[] = {{"settings", ph_config_write_doc}, {"metrics", ph_metrics_write_doc}};

    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        fputs(usage, stdout);
        return PH_EXIT_OK;
    }
    for (size_t i = 0; argc == 2 && i < sizeof(tables) / sizeof(tables[0]); i++) {
        if (strcmp(argv[1], tables[i].name) != 0)
            continue;
        struct ph_buf out;
        ph_buf_init(&out, 1 << 20);
        tables[i].write(&out);
        fwrite(out.ptr, 1, out.len, stdout);
        ph_buf_free(&out);
        return PH_EXIT_OK;
    }
    fputs(usage, stderr);
    return PH_EXIT_USAGE;
}
