-- Background tasks that expunge all content of an application, and that count what applications have used.
ALTER TABLE background_tasks
    ADD COLUMN applications uuid[], -- to be counted; NULL: all of the tenant's
    ADD COLUMN result jsonb,        -- what was counted so far
    DROP CONSTRAINT background_tasks_type_check,
    ADD CONSTRAINT background_tasks_type_check
        CHECK (type IN ('endpoint.recover', 'endpoint.replay', 'endpoint.replay-missing', 'message.broadcast',
                        'application.purge_content', 'application.stats'));
