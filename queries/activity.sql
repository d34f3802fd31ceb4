-- activity: what else happens in each account and region, and on which days do the logs show anything?
--
-- A row is one recipient account and awsRegion, over everything kept. The last three columns are about the
-- window: other_activity counts successful writes of services other than STS that no AWS service made (a sign
-- that somebody works in the region and may call STS there); `days` are the UTC days with at least one event.
--
-- needs: events
-- param since timestamp: first instant, UTC
-- param until timestamp: first instant after the window, UTC
WITH daily AS (
    SELECT
        recipient_account_id,
        aws_region,
        CAST(event_time AS DATE) AS day,
        count(*) AS events,
        count(*) FILTER (WHERE read_only = FALSE) AS writes,
        count(*) FILTER (
            WHERE event_source <> 'sts.amazonaws.com' AND read_only = FALSE AND error_code IS NULL
              AND invoked_by IS NULL AND coalesce(user_identity_type <> 'AWSService', TRUE)
        ) AS other_writes
    FROM events
    GROUP BY recipient_account_id, aws_region, CAST(event_time AS DATE)
)
SELECT
    recipient_account_id AS account_id,
    aws_region,
    CAST(sum(events) AS BIGINT) AS events,
    CAST(sum(writes) AS BIGINT) AS writes,
    CAST(coalesce(
        sum(other_writes) FILTER (WHERE day >= CAST($since AS DATE) AND day < CAST($until AS DATE)), 0
    ) AS BIGINT) AS other_activity,
    array_agg(day) FILTER (WHERE day >= CAST($since AS DATE) AND day < CAST($until AS DATE)) AS days
FROM daily
GROUP BY recipient_account_id, aws_region
ORDER BY account_id, coalesce(aws_region, '')
