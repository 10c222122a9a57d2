-- A role is one for each task of a domain: what finds cars and what reads signs both answer, and neither is a trial of the other.
--
-- Until now a domain had one champion and one challenger, whatever they did. A line of the log now says which task it is about: that
-- of its plugin. Who holds a role stays as it was, so whoever was replaced by a plugin of another task is withdrawn from its own task.

CREATE TABLE model_of_deployment AS SELECT deployment_id, model_id FROM deployment_model;
DROP TABLE deployment_model;
ALTER TABLE deployment RENAME TO deployment_of_domain;

-- Which plugin version answers for a task of a domain (the champion), and which one is only stored beside it (the challenger): a log, of
-- which the last row of a domain, a task and a role holds. Rolling back goes to what held before the last deploy that is not undone.
CREATE TABLE deployment (
    id                INTEGER PRIMARY KEY,
    domain            TEXT    NOT NULL,
    task              TEXT    NOT NULL,          -- that of the plugin: detection, tracking, ...
    role              TEXT    NOT NULL,          -- champion, challenger
    action            TEXT    NOT NULL,          -- deploy, roll back, withdraw; return: came back when another task's plugin was rolled back
    plugin_version_id INTEGER REFERENCES plugin_version (id), -- NULL: none from now on
    config            TEXT,                      -- JSON: settings of the plugin
    author            TEXT    NOT NULL,
    deployed_at       INTEGER NOT NULL
) STRICT;
CREATE TABLE deployment_model (
    deployment_id INTEGER NOT NULL REFERENCES deployment (id),
    model_id      INTEGER NOT NULL REFERENCES model (id),
    PRIMARY KEY (deployment_id, model_id)
) STRICT, WITHOUT ROWID;

-- Nobody from now on is about the task of whoever held until then.
WITH told AS (
    SELECT old.*,
           version.task AS task,
           (SELECT held_version.task
            FROM deployment_of_domain AS held JOIN plugin_version AS held_version ON held_version.id = held.plugin_version_id
            WHERE held.domain = old.domain AND held.role = old.role AND held.id < old.id
            ORDER BY held.id DESC LIMIT 1) AS task_before
    FROM deployment_of_domain AS old LEFT JOIN plugin_version AS version ON version.id = old.plugin_version_id
)
INSERT INTO deployment (id, domain, task, role, action, plugin_version_id, config, author, deployed_at)
SELECT id, domain, coalesce(task, task_before), role,
       CASE WHEN action = 'roll back' AND task <> task_before THEN 'return' ELSE action END,
       plugin_version_id, config, author, deployed_at
FROM told
WHERE coalesce(task, task_before) IS NOT NULL
ORDER BY id;

INSERT INTO deployment_model (deployment_id, model_id)
SELECT deployment_id, model_id FROM model_of_deployment ORDER BY deployment_id, model_id;

-- Whoever holds a role of its task, and was followed by a plugin of another task: withdrawn by whoever deployed that, and then.
INSERT INTO deployment (domain, task, role, action, plugin_version_id, config, author, deployed_at)
SELECT held.domain, held.task, held.role, 'withdraw', NULL, NULL, next.author, next.deployed_at
FROM deployment AS held
JOIN deployment AS next
     ON next.id = (SELECT min(later.id) FROM deployment AS later
                   WHERE later.domain = held.domain AND later.role = held.role AND later.id > held.id)
WHERE held.plugin_version_id IS NOT NULL
  AND held.id = (SELECT max(last.id) FROM deployment AS last
                 WHERE last.domain = held.domain AND last.task = held.task AND last.role = held.role)
ORDER BY held.id;

DROP TABLE model_of_deployment;
DROP TABLE deployment_of_domain;

-- Records of any domain, with what was answered last for each task; for domains without a view of their own.
DROP VIEW readable_record;
CREATE VIEW readable_record AS
SELECT record.id                                                                     AS record_id,
       record.domain                                                                 AS domain,
       record.external_id                                                            AS external_id,
       record.event_time                                                             AS event_time,
       strftime('%Y-%m-%dT%H:%M:%fZ', record.event_time / 1000000.0, 'unixepoch')    AS time,
       record.payload                                                                AS payload,
       record.source_id                                                              AS source_id,
       record.received_at                                                            AS received_at,
       (SELECT plugin_version.task FROM run JOIN plugin_version ON plugin_version.id = run.plugin_version_id
        WHERE run.id = prediction.run_id)                                            AS task,
       (SELECT plugin_version.name FROM run JOIN plugin_version ON plugin_version.id = run.plugin_version_id
        WHERE run.id = prediction.run_id)                                            AS plugin,
       prediction.score                                                              AS score,
       prediction.label                                                              AS label,
       prediction.run_id                                                             AS run_id
FROM record
LEFT JOIN prediction
       ON prediction.record_id = record.id
      AND prediction.run_id IN (SELECT max(latest.run_id) FROM prediction AS latest
                                JOIN run ON run.id = latest.run_id
                                JOIN plugin_version AS version ON version.id = run.plugin_version_id
                                WHERE latest.record_id = record.id AND run.shadow = 0
                                GROUP BY version.task);
