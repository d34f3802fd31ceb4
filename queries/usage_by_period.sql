-- usage_by_period: which STS endpoints are used, day by day or month by month?
--
-- A row is one endpoint as used for one account in one UTC day, week (from Monday), month or year; `period` is
-- its first instant.
--
-- needs: classify
-- param period varchar: day, week, month or year
SELECT
    account_id,
    endpoint,
    region,
    serving_region,
    date_trunc($period, event_time) AS period,
    count(*) AS calls,
    count(*) FILTER (WHERE is_issuing) AS issuing_calls,
    count(*) FILTER (WHERE is_issuing AND is_made_by_service) AS service_calls,
    count(*) FILTER (WHERE is_failed) AS failed_calls,
    count(*) FILTER (WHERE NOT is_issuing AND NOT is_failed) AS non_issuing_calls,
    count(DISTINCT principal) FILTER (WHERE is_issuing) AS principals
FROM classify
GROUP BY account_id, endpoint, region, serving_region, date_trunc($period, event_time)
ORDER BY account_id, endpoint, coalesce(region, ''), coalesce(serving_region, ''), period
