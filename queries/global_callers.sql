-- global_callers: who obtains credentials from the global endpoint?
--
-- A row is one principal, for one account, as served from one region (NULL when not logged); issuing calls only,
-- those of AWS services among them. Per account they add up to the issuing calls of the global rows of usage.
--
-- needs: use_by_principal
SELECT
    account_id,
    principal,
    serving_region,
    CAST(sum(calls) AS BIGINT) AS calls,
    CAST(sum(CASE WHEN is_made_by_service THEN calls ELSE 0 END) AS BIGINT) AS service_calls,
    min(first_seen) AS first_used,
    max(last_seen) AS last_used
FROM use_by_principal
WHERE is_issuing AND endpoint = 'global'
GROUP BY account_id, principal, serving_region
ORDER BY account_id, principal, coalesce(serving_region, '')
