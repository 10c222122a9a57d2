-- Card transactions as a person reads them: one row for each, with what was predicted last and what turned out to be true.
--
-- Select by record_id, transaction_id or event_time (microseconds): these have an index. `time` is the same moment as text.
CREATE VIEW fraud_transaction AS
SELECT record.id                                                                     AS record_id,
       record.external_id                                                            AS transaction_id,
       record.event_time                                                             AS event_time,
       strftime('%Y-%m-%dT%H:%M:%fZ', record.event_time / 1000000.0, 'unixepoch')    AS time,
       record.payload ->> 'customer_id'                                              AS customer_id,
       record.payload ->> 'terminal_id'                                              AS terminal_id,
       record.payload ->> 'amount'                                                   AS amount,
       (SELECT label.value FROM label
        WHERE label.record_id = record.id AND label.name = 'fraud'
        ORDER BY label.known_at DESC, label.id DESC LIMIT 1)                         AS fraud,
       prediction.score                                                              AS score,
       prediction.label                                                              AS decision,
       prediction.run_id                                                             AS run_id
FROM record
LEFT JOIN prediction
       ON prediction.record_id = record.id
      AND prediction.run_id = (SELECT max(latest.run_id) FROM prediction AS latest WHERE latest.record_id = record.id)
WHERE record.domain = 'fraud';
