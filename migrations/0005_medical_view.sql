-- Images as a radiology researcher reads them: one row for each image or frame, with what was predicted last by each plugin.
--
-- Select by record_id or event_time (microseconds): these have an index. `time` is the same moment as text. DICOM identifiers
-- are pseudonyms unless the import was told to keep them.
CREATE VIEW medical_image AS
SELECT record.id                                                                     AS record_id,
       record.external_id                                                            AS image_id,
       record.event_time                                                             AS event_time,
       strftime('%Y-%m-%dT%H:%M:%fZ', record.event_time / 1000000.0, 'unixepoch')    AS time,
       record.payload ->> 'file'                                                     AS file,
       record.payload ->> 'patient'                                                  AS patient,
       record.payload ->> 'study'                                                    AS study,
       record.payload ->> 'series'                                                   AS series,
       record.payload ->> 'modality'                                                 AS modality,
       record.payload ->> 'body_part'                                                AS body_part,
       (SELECT label.value FROM label
        WHERE label.record_id = record.id AND label.name = 'finding'
        ORDER BY label.known_at DESC, label.id DESC LIMIT 1)                         AS finding,
       plugin_version.name                                                           AS plugin,
       prediction.score                                                              AS score,
       prediction.label                                                              AS predicted,
       prediction.output ->> 'unfamiliar'                                            AS unfamiliar,
       prediction.run_id                                                             AS run_id
FROM record
LEFT JOIN prediction
       ON prediction.record_id = record.id
      AND prediction.run_id IN (SELECT max(latest.run_id) FROM prediction AS latest
                                JOIN run ON run.id = latest.run_id
                                JOIN plugin_version AS version ON version.id = run.plugin_version_id
                                WHERE latest.record_id = record.id AND run.shadow = 0
                                GROUP BY version.name)
LEFT JOIN run ON run.id = prediction.run_id
LEFT JOIN plugin_version ON plugin_version.id = run.plugin_version_id
WHERE record.domain = 'medical';

INSERT INTO readable_view (domain, name) VALUES ('medical', 'medical_image');
