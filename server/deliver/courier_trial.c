#include "courier_internal.h"

/* Trials of one endpoint at once. */
#define TRIALS_MAX 10

void courier_end_trial(struct ph_job *job, enum ph_err err)
{
    ph_trial_end(job->trial, err, NULL);
    ph_job_free(job);
}

void courier_end_trials(struct target *target, enum ph_err err)
{
    struct ph_job *job;

    while ((job = ph_job_list_take(&target->trials)))
        courier_end_trial(job, err);
}

void courier_serve_trials(struct target *target)
{
    if (target->courier->stopping)
        courier_end_trials(target, PH_ERR_UNAVAILABLE);
    if (!target->trials.first || target->loading)
        return;
    if (target->gone) {
        courier_end_trials(target, PH_ERR_NOT_FOUND);
    } else if (!target->config || target->stale) {
        courier_target_load(target);
    } else if (target->config->disabled) {
        courier_end_trials(target, PH_ERR_CONFLICT);
    } else {
        while (target->trials.first && target->trials_in_flight < TRIALS_MAX)
            courier_attempt_start(target, ph_job_list_take(&target->trials));
        courier_end_trials(target, PH_ERR_RATE_LIMITED);
    }
}
