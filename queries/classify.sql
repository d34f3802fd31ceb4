-- classify: which endpoint did each STS call use, whose credentials did it issue, and who made it?
--
-- A row is one STS call with its endpoint (`global`, `regional`, `unknown`), the evidence that decided it
-- (`endpoint_type`, `host`, `aws_region`, `token`, `none`; the first rule that matches), and account_id: the
-- account whose credentials the call issues, or the recipient for operations that issue none.
-- The host is the client's text: it counts only if it is exactly one of AWS's forms. An awsRegion counts if it
-- has the form of a region code, known or not.
--
-- needs: calls, sts_operations, dns_suffixes
WITH headers AS (
    SELECT DISTINCT client_provided_host_header AS header
    FROM events
    WHERE event_source = 'sts.amazonaws.com' AND client_provided_host_header IS NOT NULL
),
named AS (
    SELECT header, regexp_replace(lower(header), '[.]?(:443)?[.]?$', '') AS name
    FROM headers
),
labels AS (
    SELECT
        n.header,
        n.name,
        s.suffix,
        s.region_pattern,
        substr(n.name, 1, length(n.name) - length(s.suffix) - 1) AS label
    FROM named AS n
    INNER JOIN dns_suffixes AS s ON n.name LIKE '%.' || s.suffix
),
parts AS (
    SELECT
        header,
        name,
        suffix,
        region_pattern,
        regexp_extract(label, '^sts-global[.]([a-z0-9-]+)$', 1) AS global_region,
        regexp_extract(label, '^(sts|sts-fips|vpce-[a-z0-9-]+[.]sts(-fips)?)[.]([a-z0-9-]+)([.]vpce)?$', 3)
            AS host_region,
        label LIKE 'vpce-%' AS is_endpoint_name,
        label LIKE '%.vpce' AS is_vpce
    FROM labels
),
hosts AS (
    SELECT
        header,
        name = 'sts.amazonaws.com' AS is_global,
        CASE WHEN suffix = 'amazonaws.com' THEN nullif(regexp_extract(global_region, region_pattern, 0), '') END
            AS global_region,
        CASE WHEN is_endpoint_name = is_vpce THEN nullif(regexp_extract(host_region, region_pattern, 0), '') END
            AS host_region
    FROM parts
),
logged_regions AS (
    SELECT aws_region
    FROM (SELECT DISTINCT aws_region FROM events WHERE event_source = 'sts.amazonaws.com') AS r
    WHERE regexp_extract(aws_region, '^[a-z]{2,}(-[a-z0-9]+)+-[0-9]+$', 0) <> ''
),
evidenced AS (
    SELECT
        c.*,
        h.global_region,
        h.host_region,
        CASE
            WHEN c.endpoint_type = 'global' THEN 'endpoint_type'
            WHEN c.endpoint_type = 'regional' AND r.aws_region IS NOT NULL THEN 'endpoint_type'
            WHEN h.is_global OR h.global_region IS NOT NULL OR h.host_region IS NOT NULL THEN 'host'
            WHEN c.aws_region = 'global' OR r.aws_region <> 'us-east-1' THEN 'aws_region'
            WHEN c.aws_region = 'us-east-1' AND c.token_version = 1 THEN 'token'
            ELSE 'none'
        END AS evidence
    FROM calls AS c
    LEFT JOIN hosts AS h ON h.header = c.client_provided_host_header
    LEFT JOIN logged_regions AS r ON r.aws_region = c.aws_region
),
placed AS (
    SELECT
        e.*,
        CASE e.evidence
            WHEN 'endpoint_type' THEN e.endpoint_type
            WHEN 'host' THEN CASE WHEN e.host_region IS NULL THEN 'global' ELSE 'regional' END
            WHEN 'aws_region' THEN CASE WHEN e.aws_region = 'global' THEN 'global' ELSE 'regional' END
            WHEN 'token' THEN 'global'
            ELSE 'unknown'
        END AS endpoint,
        coalesce(o.issues_credentials, FALSE) AS is_issuing_operation,
        o.event_name IS NULL AS is_unknown_operation,
        coalesce(e.error_code = 'RegionDisabledException', FALSE)
            OR coalesce(strpos(e.error_message, 'STS is not activated in') > 0, FALSE) AS says_region_disabled
    FROM evidenced AS e
    LEFT JOIN sts_operations AS o ON o.event_name = e.event_name
)
SELECT
    event_id,
    event_time,
    event_name,
    endpoint,
    CASE
        WHEN endpoint <> 'regional' THEN NULL
        WHEN evidence = 'host' THEN host_region
        ELSE aws_region
    END AS region,
    CASE WHEN endpoint = 'global' THEN coalesce(serving_region, global_region) END AS serving_region,
    evidence,
    CASE
        WHEN NOT is_issuing_operation THEN recipient_account_id
        WHEN event_name IN ('GetFederationToken', 'GetSessionToken')
            THEN coalesce(user_identity_account_id, recipient_account_id)
        WHEN event_name = 'AssumeRoot' THEN coalesce(
            nullif(regexp_extract(target_principal, '^[0-9]{12}$', 0), ''),
            nullif(regexp_extract(split_part(target_principal, ':', 5), '^[0-9]{12}$', 0), ''),
            recipient_account_id
        )
        WHEN event_name = 'GetDelegatedAccessToken' THEN coalesce(
            nullif(regexp_extract(split_part(assumed_principal, ':', 5), '^[0-9]{12}$', 0), ''),
            recipient_account_id
        )
        ELSE coalesce(
            nullif(regexp_extract(split_part(role_arn, ':', 5), '^[0-9]{12}$', 0), ''),
            resource_account_id,
            nullif(regexp_extract(split_part(assumed_role_arn, ':', 5), '^[0-9]{12}$', 0), ''),
            recipient_account_id
        )
    END AS account_id,
    recipient_account_id,
    user_identity_account_id AS caller_account_id,
    is_issuing_operation AND error_code IS NULL AND NOT says_region_disabled AS is_issuing,
    is_issuing_operation AND (error_code IS NOT NULL OR says_region_disabled) AS is_failed,
    is_unknown_operation,
    is_issuing_operation AND says_region_disabled AS is_region_disabled,
    coalesce(user_identity_type = 'AWSService', FALSE) OR invoked_by IS NOT NULL AS is_made_by_service,
    coalesce(strpos(coalesce(role_arn, resource_arn), ':role/aws-service-role/') > 0, FALSE) AS is_service_linked,
    coalesce(
        CASE
            WHEN user_identity_type = 'AWSService' THEN invoked_by
            WHEN user_identity_type = 'AssumedRole' THEN session_issuer_arn
            WHEN user_identity_type IN ('IAMUser', 'Root', 'FederatedUser') THEN user_identity_arn
            WHEN user_identity_type IN ('SAMLUser', 'WebIdentityUser')
                THEN coalesce(user_identity_identity_provider, user_identity_principal_id)
            WHEN user_identity_type = 'AWSAccount'
                THEN user_identity_account_id || ':' || user_identity_principal_id
        END,
        user_identity_arn,
        user_identity_principal_id,
        'unknown'
    ) AS principal,
    error_code,
    role_arn,
    user_identity_type,
    user_identity_identity_provider,
    invoked_by,
    source_ip_address,
    user_agent,
    vpc_endpoint_id
FROM placed
