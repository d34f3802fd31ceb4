-- endpoint_callers: who obtains credentials at which endpoint, and who tries to?
--
-- A row is one principal at one endpoint, for one account; calls of issuing operations only, so that
-- issuing_calls and failed_calls add up to those of usage. Exceptions are matched with these rows.
--
-- needs: use_by_principal
SELECT
    account_id,
    endpoint,
    region,
    serving_region,
    principal,
    CAST(sum(CASE WHEN is_issuing THEN calls ELSE 0 END) AS BIGINT) AS issuing_calls,
    CAST(sum(CASE WHEN is_issuing AND is_made_by_service THEN calls ELSE 0 END) AS BIGINT) AS service_calls,
    CAST(sum(CASE WHEN is_failed THEN calls ELSE 0 END) AS BIGINT) AS failed_calls,
    CAST(sum(CASE WHEN is_region_disabled THEN calls ELSE 0 END) AS BIGINT) AS region_disabled_errors
FROM use_by_principal
WHERE is_issuing OR is_failed
GROUP BY account_id, endpoint, region, serving_region, principal
ORDER BY account_id, endpoint, coalesce(region, ''), coalesce(serving_region, ''), principal
