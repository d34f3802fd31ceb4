-- unknown_operations: which STS operations were called that the installed botocore does not know?
--
-- A row is one operation at one endpoint. Whether it issues credentials is not known: upgrade botocore and look again.
--
-- needs: classify
SELECT
    event_name,
    account_id,
    endpoint,
    region,
    count(*) AS calls,
    min(event_time) AS first_seen,
    max(event_time) AS last_seen
FROM classify
WHERE is_unknown_operation
GROUP BY event_name, account_id, endpoint, region
ORDER BY event_name, account_id, endpoint, coalesce(region, '')
