-- The relation `events` of queries/, read from a CloudTrail table of Amazon Athena.
-- Times are UTC. A record that was delivered twice counts once. The table knows no userIdentity.identityProvider, so
-- users of an identity provider are named by their principalId.
SELECT
    eventid AS event_id,
    CAST(from_iso8601_timestamp(eventtime) AS timestamp) AS event_time,
    eventsource AS event_source,
    eventname AS event_name,
    eventtype AS event_type,
    awsregion AS aws_region,
    coalesce(recipientaccountid, useridentity.accountid, 'unknown') AS recipient_account_id,
    readonly = 'true' AS read_only,
    errorcode AS error_code,
    useridentity.type AS user_identity_type,
    useridentity.arn AS user_identity_arn,
    useridentity.accountid AS user_identity_account_id,
    useridentity.principalid AS user_identity_principal_id,
    CAST(NULL AS varchar) AS user_identity_identity_provider,
    useridentity.sessioncontext.sessionissuer.arn AS session_issuer_arn,
    useridentity.invokedby AS invoked_by,
    sharedeventid AS shared_event_id,
    addendum.originaleventid AS original_event_id,
    errormessage AS error_message,
    sourceipaddress AS source_ip_address,
    useragent AS user_agent,
    vpcendpointid AS vpc_endpoint_id,
    json_extract_scalar(additionaleventdata, '$.RequestDetails.endpointType') AS endpoint_type,
    json_extract_scalar(additionaleventdata, '$.RequestDetails.awsServingRegion') AS serving_region,
    tlsdetails.clientprovidedhostheader AS client_provided_host_header,
    CASE
        WHEN json_extract_scalar(responseelements, '$.credentials.sessionToken') LIKE 'FwoGZXIvYXdz%' THEN 1
        WHEN json_extract_scalar(responseelements, '$.credentials.sessionToken') LIKE 'IQoJb3JpZ2luX2Vj%' THEN 2
        WHEN json_extract_scalar(responseelements, '$.credentials.sessionToken') LIKE 'AgoJb3JpZ2luX2Vj%' THEN 2
    END AS token_version,
    json_extract_scalar(requestparameters, '$.roleArn') AS role_arn,
    json_extract_scalar(requestparameters, '$.roleSessionName') AS role_session_name,
    json_extract_scalar(requestparameters, '$.targetPrincipal') AS target_principal,
    element_at(filter(resources, r -> r.type = 'AWS::IAM::Role' AND r.accountid IS NOT NULL), 1).accountid
        AS resource_account_id,
    element_at(filter(resources, r -> r.type = 'AWS::IAM::Role' AND r.arn IS NOT NULL), 1).arn AS resource_arn,
    json_extract_scalar(responseelements, '$.assumedRoleUser.arn') AS assumed_role_arn,
    json_extract_scalar(responseelements, '$.assumedPrincipal') AS assumed_principal
FROM (
    SELECT *, row_number() OVER (PARTITION BY eventid ORDER BY recipientaccountid) AS delivery
    FROM cloudtrail_logs
    WHERE eventsource = 'sts.amazonaws.com' AND coalesce(eventcategory, 'Management') = 'Management'
) AS delivered
WHERE delivery = 1
