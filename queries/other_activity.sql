-- other_activity: who changes things with services other than STS, in which account and region?
--
-- A row is one caller with one service: the calls that `activity` counts as other_activity, so its rows add up to
-- that figure. Successful writes that no AWS service made.
--
-- needs: events
-- param since timestamp: first instant, UTC
-- param until timestamp: first instant after the window, UTC
SELECT
    recipient_account_id AS account_id,
    aws_region AS region,
    event_source,
    coalesce(session_issuer_arn, user_identity_arn, user_identity_principal_id, 'unknown') AS principal,
    count(*) AS writes,
    count(DISTINCT CAST(event_time AS DATE)) AS days_active,
    min(event_time) AS first_seen,
    max(event_time) AS last_seen
FROM events
WHERE event_source <> 'sts.amazonaws.com' AND read_only = FALSE AND error_code IS NULL
  AND invoked_by IS NULL AND coalesce(user_identity_type <> 'AWSService', TRUE)
  AND event_time >= $since AND event_time < $until
GROUP BY
    recipient_account_id, aws_region, event_source,
    coalesce(session_issuer_arn, user_identity_arn, user_identity_principal_id, 'unknown')
ORDER BY account_id, coalesce(aws_region, ''), writes DESC, event_source, principal
