-- demand: who asks which STS endpoint for whose credentials, how often and when last?
--
-- A row is one principal that asks one endpoint for one role; the rows of an account and endpoint add up to its row
-- of `usage`. caller_account_id: the account the caller belongs to; NULL for AWS services and for users of an
-- identity provider, who belong to none. busiest_day_calls: issuing calls on the busiest UTC day.
--
-- needs: classify
WITH asked AS (
    SELECT
        account_id,
        endpoint,
        region,
        serving_region,
        principal,
        -- A record without a userIdentity is only in the log of the account it was delivered to.
        CASE
            WHEN caller_account_id IS NULL AND principal = 'unknown' AND NOT is_made_by_service
                THEN recipient_account_id
            ELSE caller_account_id
        END AS caller_account_id,
        role_arn,
        is_made_by_service,
        is_service_linked,
        CAST(event_time AS DATE) AS day,
        event_time,
        is_issuing,
        is_failed,
        is_unknown_operation,
        is_region_disabled
    FROM classify
),
daily AS (
    SELECT
        account_id,
        endpoint,
        region,
        serving_region,
        principal,
        caller_account_id,
        role_arn,
        is_made_by_service,
        is_service_linked,
        day,
        count(*) AS calls,
        count(*) FILTER (WHERE is_issuing) AS issuing_calls,
        count(*) FILTER (WHERE is_failed) AS failed_calls,
        count(*) FILTER (WHERE is_unknown_operation) AS unknown_operations,
        count(*) FILTER (WHERE is_region_disabled) AS region_disabled_errors,
        min(event_time) FILTER (WHERE is_issuing) AS first_used,
        max(event_time) FILTER (WHERE is_issuing) AS last_used,
        max(event_time) FILTER (WHERE is_failed) AS last_failed
    FROM asked
    GROUP BY
        account_id, endpoint, region, serving_region, principal, caller_account_id, role_arn, is_made_by_service,
        is_service_linked, day
)
SELECT
    account_id,
    endpoint,
    region,
    serving_region,
    principal,
    caller_account_id,
    role_arn,
    is_made_by_service,
    is_service_linked,
    CAST(sum(calls) AS BIGINT) AS calls,
    CAST(sum(issuing_calls) AS BIGINT) AS issuing_calls,
    CAST(sum(failed_calls) AS BIGINT) AS failed_calls,
    CAST(sum(calls - issuing_calls - failed_calls) AS BIGINT) AS non_issuing_calls,
    CAST(sum(unknown_operations) AS BIGINT) AS unknown_operations,
    CAST(sum(region_disabled_errors) AS BIGINT) AS region_disabled_errors,
    count(DISTINCT day) FILTER (WHERE issuing_calls > 0) AS days_active,
    CAST(max(issuing_calls) AS BIGINT) AS busiest_day_calls,
    min(first_used) AS first_used,
    max(last_used) AS last_used,
    max(last_failed) AS last_failed
FROM daily
GROUP BY
    account_id, endpoint, region, serving_region, principal, caller_account_id, role_arn, is_made_by_service,
    is_service_linked
ORDER BY
    account_id, endpoint, coalesce(region, ''), coalesce(serving_region, ''), issuing_calls DESC, principal,
    coalesce(caller_account_id, ''), coalesce(role_arn, ''), is_made_by_service, is_service_linked
