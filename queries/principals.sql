-- principals: who obtains credentials for one account from one kind of endpoint?
--
-- A row is one principal at one endpoint; issuing calls only.
--
-- needs: classify
-- param account varchar: twelve digits, the account whose credentials are issued
-- param endpoint varchar: global, regional or unknown
SELECT
    principal,
    region,
    serving_region,
    is_made_by_service,
    count(*) AS issuing_calls,
    count(DISTINCT CAST(event_time AS DATE)) AS days_active,
    min(event_time) AS first_used,
    max(event_time) AS last_used
FROM classify
WHERE is_issuing AND account_id = $account AND endpoint = $endpoint
GROUP BY principal, region, serving_region, is_made_by_service
ORDER BY issuing_calls DESC, principal, coalesce(region, ''), coalesce(serving_region, '')
