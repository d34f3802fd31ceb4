-- span: from when to when do the kept events reach?
--
-- One row: the times of the first and the last event, UTC; NULL when the store is empty.
--
-- needs: events
SELECT min(event_time) AS first_event, max(event_time) AS last_event
FROM events
