-- errors: which STS calls fail, where, for whom and why?
--
-- A row is one principal failing at one endpoint with one error code.
--
-- needs: classify
SELECT
    account_id,
    endpoint,
    region,
    error_code,
    event_name,
    principal,
    count(*) AS calls,
    min(event_time) AS first_seen,
    max(event_time) AS last_seen
FROM classify
WHERE error_code IS NOT NULL
GROUP BY account_id, endpoint, region, error_code, event_name, principal
ORDER BY calls DESC, account_id, endpoint, coalesce(region, ''), principal, event_name, error_code
