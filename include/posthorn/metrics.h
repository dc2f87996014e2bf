/*
 * Metrics of this process: the rows of metrics.def, relaxed atomics that any thread may change.
 */
#ifndef POSTHORN_METRICS_H
#define POSTHORN_METRICS_H

#include "posthorn/str.h"

#include <stdatomic.h>

struct ph_metrics {
#define PH_METRIC(field, name, kind, help) _Atomic int64_t field;
#include "posthorn/metrics.def"
#undef PH_METRIC
};

extern struct ph_metrics ph_metrics;

#define ph_metric_add(field, n)                                                                    \
    ((void)atomic_fetch_add_explicit(&ph_metrics.field, (n), memory_order_relaxed))
#define ph_metric_get(field) atomic_load_explicit(&ph_metrics.field, memory_order_relaxed)

/* Appends all of them in the Prometheus text exposition format 0.0.4. */
void ph_metrics_write(struct ph_buf *out);
/* Appends README's table of metrics (Markdown). */
void ph_metrics_write_doc(struct ph_buf *out);

#endif
