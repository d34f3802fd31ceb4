-- callers: who calls which STS endpoint, with what software, from where and how often?
--
-- A row is one principal that calls one endpoint for one issuing account with one user agent; the rows of an
-- account and endpoint add up to its row of `usage`. Lists hold each value once: `days` the UTC days with a
-- call, `sources` what the log has for an address, `roles` the ARNs that were asked for.
--
-- needs: classify
WITH alike AS (
    -- Calls that differ in nothing but the time of day.
    SELECT
        principal,
        account_id,
        endpoint,
        region,
        serving_region,
        user_identity_type,
        user_identity_identity_provider,
        invoked_by,
        user_agent,
        event_name,
        role_arn,
        source_ip_address,
        vpc_endpoint_id,
        CAST(event_time AS DATE) AS day,
        is_issuing,
        is_failed,
        is_made_by_service,
        count(*) AS calls,
        min(event_time) AS first_seen,
        max(event_time) AS last_seen
    FROM classify
    GROUP BY
        principal, account_id, endpoint, region, serving_region, user_identity_type,
        user_identity_identity_provider, invoked_by, user_agent, event_name, role_arn, source_ip_address,
        vpc_endpoint_id, CAST(event_time AS DATE), is_issuing, is_failed, is_made_by_service
)
SELECT
    principal,
    account_id,
    endpoint,
    region,
    serving_region,
    user_identity_type AS identity_type,
    user_identity_identity_provider AS identity_provider,
    invoked_by,
    user_agent,
    CAST(sum(calls) AS BIGINT) AS calls,
    CAST(sum(CASE WHEN is_issuing THEN calls ELSE 0 END) AS BIGINT) AS issuing_calls,
    CAST(sum(CASE WHEN is_issuing AND is_made_by_service THEN calls ELSE 0 END) AS BIGINT) AS service_calls,
    CAST(sum(CASE WHEN is_failed THEN calls ELSE 0 END) AS BIGINT) AS failed_calls,
    CAST(sum(CASE WHEN is_issuing OR is_failed THEN 0 ELSE calls END) AS BIGINT) AS non_issuing_calls,
    min(first_seen) AS first_seen,
    max(last_seen) AS last_seen,
    array_agg(DISTINCT day) AS days,
    array_agg(DISTINCT event_name) AS operations,
    array_agg(DISTINCT role_arn) FILTER (WHERE role_arn IS NOT NULL) AS roles,
    array_agg(DISTINCT source_ip_address) FILTER (WHERE source_ip_address IS NOT NULL) AS sources,
    array_agg(DISTINCT vpc_endpoint_id) FILTER (WHERE vpc_endpoint_id IS NOT NULL) AS vpc_endpoints
FROM alike
GROUP BY
    principal, account_id, endpoint, region, serving_region, user_identity_type,
    user_identity_identity_provider, invoked_by, user_agent
ORDER BY
    principal, account_id, endpoint, coalesce(region, ''), coalesce(serving_region, ''),
    coalesce(user_identity_type, ''), coalesce(user_identity_identity_provider, ''), coalesce(invoked_by, ''),
    coalesce(user_agent, '')
