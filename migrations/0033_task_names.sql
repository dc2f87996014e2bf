-- The kinds and states of background tasks that client libraries know: they refuse to read any other.
ALTER TABLE background_tasks
    DROP CONSTRAINT background_tasks_type_check,
    DROP CONSTRAINT background_tasks_status_check;
UPDATE background_tasks
SET type = CASE type WHEN 'endpoint.replay' THEN 'endpoint.bulk-replay' WHEN 'endpoint.replay-missing' THEN 'endpoint.replay'
                     ELSE type END,
    status = CASE status WHEN 'cancelled' THEN 'failed' ELSE status END,
    error = CASE status WHEN 'cancelled' THEN 'cancelled' ELSE error END
WHERE type IN ('endpoint.replay', 'endpoint.replay-missing') OR status = 'cancelled';
ALTER TABLE background_tasks
    ADD CONSTRAINT background_tasks_type_check
        CHECK (type IN ('endpoint.recover', 'endpoint.bulk-replay', 'endpoint.replay', 'message.broadcast',
                        'application.purge_content', 'application.stats')),
    ADD CONSTRAINT background_tasks_status_check CHECK (status IN ('running', 'finished', 'failed'));
