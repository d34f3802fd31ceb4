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
        coalesce(e.shared_event_id, o.call_id, e.original_event_id, e.event_id) AS call_id,
        CASE WHEN e.user_identity_arn IS NOT NULL THEN 0 ELSE 1 END AS is_not_the_callers
    FROM events AS e
    LEFT JOIN originals AS o ON o.event_id = e.original_event_id
    WHERE e.event_source = 'sts.amazonaws.com'
      AND e.event_time >= $since AND e.event_time < $until
      AND (e.shared_event_id IS NOT NULL
           OR e.original_event_id IS NOT NULL
           OR e.event_id IN (SELECT original_event_id FROM corrected))
),
several AS (
    SELECT call_id, count(*) AS copies
    FROM shared
    GROUP BY call_id
    HAVING count(*) > 1
),
numbered AS (
    SELECT
        shared.event_id AS copy_id,
        shared.call_id,
        several.copies,
        row_number() OVER (
            PARTITION BY shared.call_id ORDER BY shared.is_not_the_callers, shared.event_id
        ) AS copy_number
    FROM shared
    INNER JOIN several ON several.call_id = shared.call_id
),
copied AS (
    SELECT e.*, n.call_id, n.copies, n.copy_number
    FROM events AS e
    INNER JOIN numbered AS n ON n.copy_id = e.event_id
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
  AND event_id NOT IN (SELECT copy_id FROM numbered)
UNION ALL
-- Two copies, as nearly always: what the first lacks is the second's.
SELECT
    a.event_id,
    a.event_time,
    a.event_name,
    coalesce(a.aws_region, b.aws_region),
    a.recipient_account_id,
    coalesce(a.error_code, b.error_code),
    coalesce(a.error_message, b.error_message),
    coalesce(a.user_identity_type, b.user_identity_type),
    coalesce(a.user_identity_arn, b.user_identity_arn),
    coalesce(a.user_identity_account_id, b.user_identity_account_id),
    coalesce(a.user_identity_principal_id, b.user_identity_principal_id),
    coalesce(a.user_identity_identity_provider, b.user_identity_identity_provider),
    coalesce(a.session_issuer_arn, b.session_issuer_arn),
    coalesce(a.invoked_by, b.invoked_by),
    coalesce(a.source_ip_address, b.source_ip_address),
    coalesce(a.user_agent, b.user_agent),
    coalesce(a.vpc_endpoint_id, b.vpc_endpoint_id),
    coalesce(a.endpoint_type, b.endpoint_type),
    coalesce(a.serving_region, b.serving_region),
    coalesce(a.client_provided_host_header, b.client_provided_host_header),
    coalesce(a.token_version, b.token_version),
    coalesce(a.role_arn, b.role_arn),
    coalesce(a.target_principal, b.target_principal),
    coalesce(a.resource_account_id, b.resource_account_id),
    coalesce(a.resource_arn, b.resource_arn),
    coalesce(a.assumed_role_arn, b.assumed_role_arn),
    coalesce(a.assumed_principal, b.assumed_principal)
FROM copied AS a
INNER JOIN copied AS b ON b.call_id = a.call_id AND b.copy_number = 2
WHERE a.copies = 2 AND a.copy_number = 1
UNION ALL
SELECT
    min_by(event_id, copy_number),
    min_by(event_time, copy_number),
    min_by(event_name, copy_number),
    min_by(aws_region, copy_number) FILTER (WHERE aws_region IS NOT NULL),
    min_by(recipient_account_id, copy_number),
    min_by(error_code, copy_number) FILTER (WHERE error_code IS NOT NULL),
    min_by(error_message, copy_number) FILTER (WHERE error_message IS NOT NULL),
    min_by(user_identity_type, copy_number) FILTER (WHERE user_identity_type IS NOT NULL),
    min_by(user_identity_arn, copy_number) FILTER (WHERE user_identity_arn IS NOT NULL),
    min_by(user_identity_account_id, copy_number) FILTER (WHERE user_identity_account_id IS NOT NULL),
    min_by(user_identity_principal_id, copy_number) FILTER (WHERE user_identity_principal_id IS NOT NULL),
    min_by(user_identity_identity_provider, copy_number) FILTER (WHERE user_identity_identity_provider IS NOT NULL),
    min_by(session_issuer_arn, copy_number) FILTER (WHERE session_issuer_arn IS NOT NULL),
    min_by(invoked_by, copy_number) FILTER (WHERE invoked_by IS NOT NULL),
    min_by(source_ip_address, copy_number) FILTER (WHERE source_ip_address IS NOT NULL),
    min_by(user_agent, copy_number) FILTER (WHERE user_agent IS NOT NULL),
    min_by(vpc_endpoint_id, copy_number) FILTER (WHERE vpc_endpoint_id IS NOT NULL),
    min_by(endpoint_type, copy_number) FILTER (WHERE endpoint_type IS NOT NULL),
    min_by(serving_region, copy_number) FILTER (WHERE serving_region IS NOT NULL),
    min_by(client_provided_host_header, copy_number) FILTER (WHERE client_provided_host_header IS NOT NULL),
    min_by(token_version, copy_number) FILTER (WHERE token_version IS NOT NULL),
    min_by(role_arn, copy_number) FILTER (WHERE role_arn IS NOT NULL),
    min_by(target_principal, copy_number) FILTER (WHERE target_principal IS NOT NULL),
    min_by(resource_account_id, copy_number) FILTER (WHERE resource_account_id IS NOT NULL),
    min_by(resource_arn, copy_number) FILTER (WHERE resource_arn IS NOT NULL),
    min_by(assumed_role_arn, copy_number) FILTER (WHERE assumed_role_arn IS NOT NULL),
    min_by(assumed_principal, copy_number) FILTER (WHERE assumed_principal IS NOT NULL)
FROM copied
WHERE copies > 2
GROUP BY call_id
