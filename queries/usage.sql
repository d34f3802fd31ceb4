-- usage: which STS endpoints are used?
--
-- A row is one endpoint as used for one account: `regional` in a region, `global` as served from a region
-- (NULL when not logged), or `unknown`. calls = issuing_calls + failed_calls + non_issuing_calls.
--
-- needs: classify
SELECT
    account_id,
    endpoint,
    region,
    serving_region,
    count(*) AS calls,
    count(*) FILTER (WHERE is_issuing) AS issuing_calls,
    count(*) FILTER (WHERE is_issuing AND is_made_by_service) AS service_calls,
    count(*) FILTER (WHERE is_issuing AND is_made_by_service AND is_service_linked) AS service_linked_calls,
    count(*) FILTER (WHERE is_failed) AS failed_calls,
    count(*) FILTER (WHERE NOT is_issuing AND NOT is_failed) AS non_issuing_calls,
    count(*) FILTER (WHERE is_unknown_operation) AS unknown_operations,
    count(*) FILTER (WHERE is_region_disabled) AS region_disabled_errors,
    count(DISTINCT principal) FILTER (WHERE is_issuing) AS principals,
    min(event_time) FILTER (WHERE is_issuing) AS first_used,
    max(event_time) FILTER (WHERE is_issuing) AS last_used,
    max(event_time) FILTER (WHERE is_issuing AND NOT is_made_by_service) AS last_customer_call,
    max(event_time) FILTER (WHERE is_region_disabled) AS last_region_disabled,
    count(*) FILTER (WHERE evidence = 'endpoint_type') AS evidence_endpoint_type,
    count(*) FILTER (WHERE evidence = 'host') AS evidence_host,
    count(*) FILTER (WHERE evidence = 'aws_region') AS evidence_aws_region,
    count(*) FILTER (WHERE evidence = 'token') AS evidence_token,
    count(*) FILTER (WHERE evidence = 'none') AS evidence_none
FROM classify
GROUP BY account_id, endpoint, region, serving_region
ORDER BY account_id, endpoint, coalesce(region, ''), coalesce(serving_region, '')
