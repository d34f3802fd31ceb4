-- usage: which STS endpoints are used?
--
-- A row is one endpoint as used for one account: `regional` in a region, `global` as served from a region
-- (NULL when not logged), or `unknown`. calls = issuing_calls + failed_calls + non_issuing_calls.
--
-- needs: use_by_principal
SELECT
    account_id,
    endpoint,
    region,
    serving_region,
    CAST(sum(calls) AS BIGINT) AS calls,
    CAST(sum(CASE WHEN is_issuing THEN calls ELSE 0 END) AS BIGINT) AS issuing_calls,
    CAST(sum(CASE WHEN is_issuing AND is_made_by_service THEN calls ELSE 0 END) AS BIGINT) AS service_calls,
    CAST(sum(CASE WHEN is_issuing AND is_made_by_service AND is_service_linked THEN calls ELSE 0 END) AS BIGINT)
        AS service_linked_calls,
    CAST(sum(CASE WHEN is_failed THEN calls ELSE 0 END) AS BIGINT) AS failed_calls,
    CAST(sum(CASE WHEN is_issuing OR is_failed THEN 0 ELSE calls END) AS BIGINT) AS non_issuing_calls,
    CAST(sum(CASE WHEN is_unknown_operation THEN calls ELSE 0 END) AS BIGINT) AS unknown_operations,
    CAST(sum(CASE WHEN is_region_disabled THEN calls ELSE 0 END) AS BIGINT) AS region_disabled_errors,
    count(DISTINCT principal) FILTER (WHERE is_issuing) AS principals,
    min(first_seen) FILTER (WHERE is_issuing) AS first_used,
    max(last_seen) FILTER (WHERE is_issuing) AS last_used,
    max(last_seen) FILTER (WHERE is_issuing AND NOT is_made_by_service) AS last_customer_call,
    max(last_seen) FILTER (WHERE is_region_disabled) AS last_region_disabled,
    CAST(sum(CASE WHEN evidence = 'endpoint_type' THEN calls ELSE 0 END) AS BIGINT) AS evidence_endpoint_type,
    CAST(sum(CASE WHEN evidence = 'host' THEN calls ELSE 0 END) AS BIGINT) AS evidence_host,
    CAST(sum(CASE WHEN evidence = 'aws_region' THEN calls ELSE 0 END) AS BIGINT) AS evidence_aws_region,
    CAST(sum(CASE WHEN evidence = 'token' THEN calls ELSE 0 END) AS BIGINT) AS evidence_token,
    CAST(sum(CASE WHEN evidence = 'none' THEN calls ELSE 0 END) AS BIGINT) AS evidence_none
FROM use_by_principal
GROUP BY account_id, endpoint, region, serving_region
ORDER BY account_id, endpoint, coalesce(region, ''), coalesce(serving_region, '')
