-- calls: which STS requests were made?
--
-- A row is one STS call. CloudTrail logs a cross-account call in the caller's account and in the role owner's,
-- under one sharedEventID and two eventIDs, and may correct a record later (addendum): those copies are one
-- call. Its columns are taken from the caller's copy first (the one with userIdentity.arn), then in order of
-- event_id; what is missing there is filled from the other copies.
--
-- needs: events
-- param since timestamp: first instant, UTC
-- param until timestamp: first instant after the window, UTC
WITH corrected AS (
    SELECT DISTINCT original_event_id
    FROM events
    WHERE event_source = 'sts.amazonaws.com' AND original_event_id IS NOT NULL
),
originals AS (
    SELECT event_id, coalesce(shared_event_id, event_id) AS call_id
    FROM events
    WHERE event_source = 'sts.amazonaws.com' AND event_id IN (SELECT original_event_id FROM corrected)
),
shared AS (
    SELECT
        e.event_id,
        coalesce(e.shared_event_id, o.call_id, e.original_event_id, e.event_id) AS call_id
    FROM events AS e
    LEFT JOIN originals AS o ON o.event_id = e.original_event_id
    WHERE e.event_source = 'sts.amazonaws.com'
      AND e.event_time >= $since AND e.event_time < $until
      AND (e.shared_event_id IS NOT NULL
           OR e.original_event_id IS NOT NULL
           OR e.event_id IN (SELECT original_event_id FROM corrected))
),
several AS (
    SELECT call_id
    FROM shared
    GROUP BY call_id
    HAVING count(*) > 1
),
copies AS (
    SELECT shared.event_id, shared.call_id
    FROM shared
    INNER JOIN several ON several.call_id = shared.call_id
),
ranked AS (
    SELECT
        e.*,
        c.call_id,
        CASE WHEN e.user_identity_arn IS NOT NULL THEN '0' ELSE '1' END || e.event_id AS copy_rank
    FROM events AS e
    INNER JOIN copies AS c ON c.event_id = e.event_id
    WHERE e.event_source = 'sts.amazonaws.com'
)
SELECT
    event_id,
    event_time,
    event_name,
    aws_region,
    recipient_account_id,
    error_code,
    error_message,
    user_identity_type,
    user_identity_arn,
    user_identity_account_id,
    user_identity_principal_id,
    user_identity_identity_provider,
    session_issuer_arn,
    invoked_by,
    source_ip_address,
    user_agent,
    vpc_endpoint_id,
    endpoint_type,
    serving_region,
    client_provided_host_header,
    token_version,
    role_arn,
    target_principal,
    resource_account_id,
    resource_arn,
    assumed_role_arn,
    assumed_principal
FROM events
WHERE event_source = 'sts.amazonaws.com'
  AND event_time >= $since AND event_time < $until
  AND event_id NOT IN (SELECT event_id FROM copies)
UNION ALL
SELECT
    min_by(event_id, copy_rank),
    min_by(event_time, copy_rank),
    min_by(event_name, copy_rank),
    min_by(aws_region, copy_rank) FILTER (WHERE aws_region IS NOT NULL),
    min_by(recipient_account_id, copy_rank),
    min_by(error_code, copy_rank) FILTER (WHERE error_code IS NOT NULL),
    min_by(error_message, copy_rank) FILTER (WHERE error_message IS NOT NULL),
    min_by(user_identity_type, copy_rank) FILTER (WHERE user_identity_type IS NOT NULL),
    min_by(user_identity_arn, copy_rank) FILTER (WHERE user_identity_arn IS NOT NULL),
    min_by(user_identity_account_id, copy_rank) FILTER (WHERE user_identity_account_id IS NOT NULL),
    min_by(user_identity_principal_id, copy_rank) FILTER (WHERE user_identity_principal_id IS NOT NULL),
    min_by(user_identity_identity_provider, copy_rank)
        FILTER (WHERE user_identity_identity_provider IS NOT NULL),
    min_by(session_issuer_arn, copy_rank) FILTER (WHERE session_issuer_arn IS NOT NULL),
    min_by(invoked_by, copy_rank) FILTER (WHERE invoked_by IS NOT NULL),
    min_by(source_ip_address, copy_rank) FILTER (WHERE source_ip_address IS NOT NULL),
    min_by(user_agent, copy_rank) FILTER (WHERE user_agent IS NOT NULL),
    min_by(vpc_endpoint_id, copy_rank) FILTER (WHERE vpc_endpoint_id IS NOT NULL),
    min_by(endpoint_type, copy_rank) FILTER (WHERE endpoint_type IS NOT NULL),
    min_by(serving_region, copy_rank) FILTER (WHERE serving_region IS NOT NULL),
    min_by(client_provided_host_header, copy_rank) FILTER (WHERE client_provided_host_header IS NOT NULL),
    min_by(token_version, copy_rank) FILTER (WHERE token_version IS NOT NULL),
    min_by(role_arn, copy_rank) FILTER (WHERE role_arn IS NOT NULL),
    min_by(target_principal, copy_rank) FILTER (WHERE target_principal IS NOT NULL),
    min_by(resource_account_id, copy_rank) FILTER (WHERE resource_account_id IS NOT NULL),
    min_by(resource_arn, copy_rank) FILTER (WHERE resource_arn IS NOT NULL),
    min_by(assumed_role_arn, copy_rank) FILTER (WHERE assumed_role_arn IS NOT NULL),
    min_by(assumed_principal, copy_rank) FILTER (WHERE assumed_principal IS NOT NULL)
FROM ranked
GROUP BY call_id
