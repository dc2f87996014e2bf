#include "posthorn/metrics.h"

#include <inttypes.h>

struct ph_metrics ph_metrics;

struct row {
    const char *name, *kind, *help;
    _Atomic int64_t *value;
};

static const struct row rows[] = {
#define PH_METRIC(field, name_, kind_, help_) {name_, #kind_, help_, &ph_metrics.field},
#include "posthorn/metrics.def"
#undef PH_METRIC
};

#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

void ph_metrics_write(struct ph_buf *out)
{
    for (const struct row *r = rows; r < rows + N_ROWS; r++) {
        int64_t v = atomic_load_explicit(r->value, memory_order_relaxed);
        ph_buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n%s %" PRId64 "\n", r->name, r->help,
                      r->name, r->kind, r->name, v);
    }
}

void ph_metrics_write_doc(struct ph_buf *out)
{
    ph_buf_add_c(out, "| metric | kind | meaning |\n| --- | --- | --- |\n");
    for (const struct row *r = rows; r < rows + N_ROWS; r++)
        ph_buf_printf(out, "| `%s` | %s | %s |\n", r->name, r->kind, r->help);
}
