-- use_by_principal: who makes which calls at which endpoint?
--
-- A row is one kind of calls: those that differ in nothing but their time. A few thousand rows, however many calls.
-- usage, global_callers and endpoint_callers add them up, so their figures agree; the store counts them once.
--
-- needs: classify
SELECT
    account_id,
    endpoint,
    region,
    serving_region,
    evidence,
    is_issuing,
    is_failed,
    is_unknown_operation,
    is_region_disabled,
    is_made_by_service,
    is_service_linked,
    principal,
    count(*) AS calls,
    min(event_time) AS first_seen,
    max(event_time) AS last_seen
FROM classify
GROUP BY
    account_id, endpoint, region, serving_region, evidence, is_issuing, is_failed, is_unknown_operation,
    is_region_disabled, is_made_by_service, is_service_linked, principal
